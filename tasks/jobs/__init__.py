"""A job is one run of `run_workflow` as its owner sees it: submit, get, list, cancel, retry."""

from tasks.jobs.ending import cancel, delete
from tasks.jobs.errors import (
    InputsGone,
    InvalidCursor,
    JobLimitReached,
    JobNotEnded,
    JobNotFound,
    KeyInUse,
    KeyReused,
    QueueFull,
)
from tasks.jobs.idempotency import Hold, forget_keys, hold
from tasks.jobs.model import ENDED, Job, JobError, Page, Status
from tasks.jobs.reading import get, list_jobs, watch
from tasks.jobs.sending import retry, submit
from tasks.jobs.usage import By, Sum, Usage, usage

__all__ = [
    "ENDED",
    "By",
    "Hold",
    "InputsGone",
    "InvalidCursor",
    "Job",
    "JobError",
    "JobLimitReached",
    "JobNotEnded",
    "JobNotFound",
    "KeyInUse",
    "KeyReused",
    "Page",
    "QueueFull",
    "Status",
    "Sum",
    "Usage",
    "cancel",
    "delete",
    "forget_keys",
    "get",
    "hold",
    "list_jobs",
    "retry",
    "submit",
    "usage",
    "watch",
]
