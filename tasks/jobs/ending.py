"""Ending jobs: having one stop, and having one that ended forgotten."""

from __future__ import annotations

from typing import Any

from comfy_runner.bucket import Bucket
from tasks import webhook_log
from tasks.framework import AsyncResult, RunUnfinished, UnknownRun
from tasks.framework.records import Final
from tasks.jobs.errors import JobNotEnded, JobNotFound
from tasks.jobs.idempotency import IDEMPOTENCY, release
from tasks.jobs.model import Job
from tasks.jobs.reading import get, reading_of


def cancel(job_id: str) -> Job:
    """Have a job not start, or stop; one that has ended stays as it is. May be repeated.

    Raises:
        JobNotFound: there is none with that id.
    """
    reading_of(job_id)
    AsyncResult[Any](job_id).revoke()
    return get(job_id)


def delete(job_id: str, *, bucket: Bucket) -> None:
    """Remove an ended job for good: its files, then its record. May be repeated if it fails.

    Raises:
        JobNotFound: there is none with that id.
        JobNotEnded: it waits or runs.
        StorageFailed: its files could not be removed; its record is still there.
    """
    reading = reading_of(job_id)
    final = reading.record
    if not isinstance(final, Final):
        raise JobNotEnded(job_id)
    bucket.delete(f"outputs/{job_id}")
    # before the record: a key without a job is taken for one whose first request died
    if key := final.headers.get(IDEMPOTENCY):
        release(key, job_id)
    try:
        AsyncResult[Any](job_id).forget()
    except (UnknownRun, RunUnfinished) as error:  # somebody else has just deleted it
        raise JobNotFound(job_id) from error
    webhook_log.forget(Job.of(reading))  # after the record, which would send them again
