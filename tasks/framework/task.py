"""Declaring tasks and sending them: ``@task``, `Task` and the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, overload

from tasks.framework.canvas import Signature
from tasks.framework.errors import TaskNotFound
from tasks.framework.records import Job
from tasks.framework.result import AsyncResult
from tasks.framework.retry import Retry
from tasks.framework.runtime import runtime
from tasks.framework.schedule import Cron, Crontab, Every, Period
from tasks.framework.sending import SendOptions
from tasks.framework.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")
W = TypeVar("W", bound=Worker)

CPU = "cpu"
"""The pool of tasks that name no worker."""

registry: dict[str, Task[..., Any]] = {}
"""Every declared task by name, filled as modules are imported."""


class Task(Generic[P, R]):
    """A function that can be called here or sent away."""

    def __init__(self, fn: Callable[..., R], options: Options) -> None:
        self.fn = fn
        self.name = options.name or f"{fn.__module__}.{fn.__name__}"
        self.worker = options.worker
        self.timeout = options.timeout
        self.expires = options.expires
        self.retry = Retry.of(options.retry)
        self.period = _period(options)
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
        """Describe a call, perhaps only in part: a chain gives the first argument."""
        return Signature(self, args, kwargs)

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]:
        """Describe a whole call, which is not given what came before it in a chain."""
        return Signature(self, args, kwargs, immutable=True)

    def map(self, items: Iterable[Any]) -> list[AsyncResult[R]]:
        """Send one call per item, with the item as its first argument."""
        return [self.apply_async((item,)) for item in items]

    def apply_async(
        self,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[SendOptions],
    ) -> AsyncResult[R]:
        """Send it with options of its own: see `SendOptions`.

        Raises:
            NotSerializable: an argument or header is not JSON.
            IdTaken: the id belongs to a run with other arguments.
            LimitReached: the owner's limit is reached.
            ValueError: an option cannot be used; the message names it.
        """
        return Signature(self, args, kwargs or {}, options).apply_async()


@dataclass(frozen=True)
class Options:
    """How a task was declared."""

    name: str | None = None
    worker: type[Worker] | None = None
    timeout: float | None = None
    expires: float | None = None
    retry: Retry | int | None = None
    cron: str | None = None
    every: float | None = None
    timezone: str = "UTC"


@overload
def task(
    *,
    worker: type[W],
    name: str | None = None,
    timeout: float | None = None,
    expires: float | None = None,
    retry: Retry | int | None = None,
) -> Callable[[Callable[Concatenate[W, P], R]], Task[P, R]]: ...


@overload
def task(
    *,
    name: str | None = None,
    timeout: float | None = None,
    expires: float | None = None,
    retry: Retry | int | None = None,
    cron: str | None = None,
    every: float | None = None,
    timezone: str = "UTC",
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(**options: Any) -> Callable[[Callable[..., R]], Task[..., R]]:
    """Declare a task and register it by name.

    Args:
        options: ``name``, by default the module's and function's; ``worker``, a `Worker` class
            whose instance the body gets as its first argument; ``timeout``, seconds an attempt
            may take; ``expires``, seconds within which the first one must start; ``retry``, a
            `Retry` or a bare limit; ``cron``, five fields in ``timezone``, or ``every``, seconds:
            when to run it without being sent.

    Raises:
        ValueError: an option makes no sense; the message names it.
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


def policy_of(job: Job) -> Retry:
    """Return how a run is retried: its own numbers, with the errors that its task declares."""
    declared = registry.get(job.task)
    policy = declared.retry if declared else Retry(limit=0)
    return replace(policy, **job.retry) if job.retry else policy


def _period(options: Options) -> Period | None:
    if options.cron and options.every:
        raise ValueError("a task has either cron= or every=, not both")
    if options.every:
        return Every(options.every)
    return Cron(Crontab.parse(options.cron), options.timezone) if options.cron else None
