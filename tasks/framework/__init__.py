"""A small Celery-style task framework: typed, honest about its guarantees, alike on every backend.

from tasks.framework import current, task

@task(timeout=60)
def add(x: int, y: int) -> int:
    current.log("adding")
    return x + y

add.delay(1, 2).get(timeout=10)
"""

from tasks.framework import canvas_tasks  # noqa: F401 (declares its tasks)
from tasks.framework.canvas import Signature, chain, group
from tasks.framework.context import current
from tasks.framework.errors import (
    IdTaken,
    Interrupted,
    LimitReached,
    NotConfigured,
    NotSerializable,
    RecordsUnavailable,
    ResultTimeout,
    RetryRequested,
    RunError,
    RunExpired,
    RunFailed,
    RunRevoked,
    RunUnfinished,
    TaskNotFound,
    TasksError,
    UnknownRun,
)
from tasks.framework.execute import execute
from tasks.framework.protocol import Protocol, Timing
from tasks.framework.result import AsyncResult
from tasks.framework.retry import Retry
from tasks.framework.runtime import Runtime, configure, runtime
from tasks.framework.states import State
from tasks.framework.task import Task, task
from tasks.framework.worker import Worker

__all__ = [
    "AsyncResult",
    "IdTaken",
    "Interrupted",
    "LimitReached",
    "NotConfigured",
    "NotSerializable",
    "Protocol",
    "RecordsUnavailable",
    "ResultTimeout",
    "Retry",
    "RetryRequested",
    "RunError",
    "RunExpired",
    "RunFailed",
    "RunRevoked",
    "RunUnfinished",
    "Runtime",
    "Signature",
    "State",
    "Task",
    "TaskNotFound",
    "TasksError",
    "Timing",
    "UnknownRun",
    "Worker",
    "chain",
    "configure",
    "current",
    "execute",
    "group",
    "runtime",
    "task",
]
