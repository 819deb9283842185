"""Declaring tasks and sending them: ``@task``, `Task`, `Signature` and the registry."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from tasks.framework.errors import TaskNotFound
from tasks.framework.message import check_id, digest, round_trip
from tasks.framework.records import Job
from tasks.framework.result import AsyncResult
from tasks.framework.runtime import runtime
from tasks.framework.schedule import Crontab
from tasks.framework.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")
W = TypeVar("W", bound=Worker)

CPU = "cpu"
"""The pool of tasks that name no worker."""

registry: dict[str, Task[..., Any]] = {}
"""Every declared task by name, filled as modules are imported."""


@dataclass(frozen=True)
class Signature(Generic[R]):
    """A call not made yet: task and arguments, as JSON."""

    task: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def delay(self) -> AsyncResult[R]:
        """Send it."""
        return find(self.task).apply_async(self.args, self.kwargs)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, for a ``link``."""
        return {"task": self.task, "args": list(self.args), "kwargs": dict(self.kwargs)}


class Task(Generic[P, R]):
    """A function that can be called here or sent away."""

    def __init__(self, fn: Callable[..., R], options: Options) -> None:
        self.fn = fn
        self.name = options.name or f"{fn.__module__}.{fn.__name__}"
        self.worker = options.worker
        self.timeout = options.timeout
        self.expires = options.expires
        self.cron = Crontab.parse(options.cron) if options.cron else None
        self.__doc__ = fn.__doc__

    @property
    def pool(self) -> str:
        """Which processes carry it out: those that hold its worker, or the plain ones."""
        return self.worker.pool if self.worker else CPU

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the body here and now, with this process's own worker if it needs one."""
        if self.worker is None:
            return self.fn(*args, **kwargs)
        return self.fn(runtime().worker(self.worker), *args, **kwargs)

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Send it, as declared."""
        return self.apply_async(args, kwargs)

    def s(self, *args: Any, **kwargs: Any) -> Signature[R]:
        """Describe a call, perhaps only in part."""
        return Signature(self.name, args, kwargs)

    def apply_async(
        self,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        task_id: str | None = None,
        expires: float | None = None,
        timeout: float | None = None,
        owner: str | None = None,
        limit: int | None = None,
        link: Signature[Any] | None = None,
    ) -> AsyncResult[R]:
        """Send it with options of its own.

        Args:
            args: positional arguments, JSON.
            kwargs: keyword arguments, JSON.
            task_id: the run's id; a known one returns that run. Made up if absent.
            expires: seconds within which the first attempt must start, else it never does.
            timeout: seconds an attempt may take, else the run fails.
            owner: whose run it is; listings and limits go by it.
            limit: refuse if the owner has that many unfinished runs of this task.
            link: sent when the run has ended, however it ended, with its id as first argument.

        Raises:
            NotSerializable: an argument is not JSON.
            IdTaken: the id belongs to a run with other arguments.
            LimitReached: the owner's limit is reached.
            ValueError: the id cannot be used.
        """
        protocol = runtime().protocol
        sent = round_trip(list(args), "args"), round_trip(dict(kwargs or {}), "kwargs")
        now = protocol.clock()
        wait = expires if expires is not None else self.expires
        request = Job(
            id=check_id(task_id) if task_id is not None else str(uuid.uuid4()),
            task=self.name,
            args=sent[0],
            kwargs=sent[1],
            owner=owner,
            created=now,
            deadline=now + wait if wait is not None else None,
            due=now,
            digest=digest(self.name, *sent),
            link=round_trip(link.to_json(), "link") if link else None,
            timeout=timeout if timeout is not None else self.timeout,
        )
        return AsyncResult(protocol.submit(request, limit=limit))


@dataclass(frozen=True)
class Options:
    """How a task was declared."""

    name: str | None = None
    worker: type[Worker] | None = None
    timeout: float | None = None
    expires: float | None = None
    cron: str | None = None


@overload
def task(
    *,
    worker: type[W],
    name: str | None = None,
    timeout: float | None = None,
    expires: float | None = None,
) -> Callable[[Callable[Concatenate[W, P], R]], Task[P, R]]: ...


@overload
def task(
    *,
    name: str | None = None,
    timeout: float | None = None,
    expires: float | None = None,
    cron: str | None = None,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(**options: Any) -> Callable[[Callable[..., R]], Task[..., R]]:
    """Declare a task and register it by name.

    Args:
        options: ``name``, by default the module's and function's; ``worker``, a `Worker` class
            whose instance the body gets as its first argument; ``timeout``, seconds an attempt
            may take; ``expires``, seconds within which the first one must start; ``cron``, five
            fields in UTC, when to run it without being sent.
    """

    def declare(fn: Callable[..., R]) -> Task[..., R]:
        declared: Task[..., R] = Task(fn, Options(**options))
        registry[declared.name] = declared
        return declared

    return declare


def find(name: str) -> Task[..., Any]:
    """Return the task of that name.

    Raises:
        TaskNotFound: if no imported module declares it.
    """
    try:
        return registry[name]
    except KeyError:
        raise TaskNotFound(name) from None


def pool_of(name: str) -> str:
    """Return the pool that carries a task out; an unknown task fails in the plain pool."""
    declared = registry.get(name)
    return declared.pool if declared else CPU
