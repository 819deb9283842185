"""A deployment at a glance: how many runs of each task are where, what waits, and who works."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tasks.framework.backends import Backend
from tasks.framework.backends.local import LocalBackend
from tasks.framework.inspection import MAX_COUNTED, MAX_LIVE
from tasks.framework.protocol import Protocol
from tasks.framework.reading import Reading, read
from tasks.framework.records import Job, Run
from tasks.framework.states import State
from tasks.framework.task import pool_of


@dataclass(frozen=True)
class TaskSurvey:
    """How many runs of a task are in which state; those that have ended, in a span of time.

    ``oldest`` is for how many seconds the one that waits longest could have been started;
    ``cut`` says that more have ended than were counted.
    """

    task: str
    pool: str
    counts: Mapping[State, int]
    oldest: float | None
    cut: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        states = {state.value: self.counts.get(state, 0) for state in State}
        head = {"task": self.task, "pool": self.pool}
        return {**head, **states, "oldest_waiting_seconds": self.oldest, "cut": self.cut}


@dataclass(frozen=True)
class PoolSurvey:
    """How many runs wait for a pool's processes, and how many seconds the oldest has waited."""

    pool: str
    waiting: int
    oldest: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "pool": self.pool,
            "waiting": self.waiting,
            "oldest_waiting_seconds": self.oldest,
        }


@dataclass(frozen=True)
class WorkerSurvey:
    """A worker process that lives: whether it takes runs, and which one it has in hand."""

    name: str
    ready: bool
    run: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"name": self.name, "ready": self.ready, "run": self.run}


@dataclass(frozen=True)
class Survey:
    """The whole. ``span`` is in seconds; ``cut`` says that not every unfinished run was read."""

    span: float
    tasks: tuple[TaskSurvey, ...]
    pools: tuple[PoolSurvey, ...]
    workers: tuple[WorkerSurvey, ...]
    cut: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "span_seconds": self.span,
            "tasks": [each.to_json() for each in self.tasks],
            "pools": [each.to_json() for each in self.pools],
            "workers": [each.to_json() for each in self.workers],
            "cut": self.cut,
        }


def survey(
    protocol: Protocol,
    tasks: Collection[str],
    *,
    span: float,
    max_live: int = MAX_LIVE,
    max_counted: int = MAX_COUNTED,
) -> Survey:
    """Count the runs of some tasks: the unfinished ones, and those sent in the last seconds.

    Reads at most ``max_live`` unfinished runs, and ``max_counted`` finished ones per task.
    """
    ids = list(islice(protocol.store.scan("live:"), max_live + 1))
    found = (read(protocol, value["id"]) for _, value in ids[:max_live])
    live = [each for each in found if each and not each.state.final]
    since = protocol.clock() - span
    surveyed = tuple(_of_task(protocol, task, live, since, max_counted) for task in tasks)
    pools = {each.pool for each in surveyed}
    return Survey(
        span=span,
        tasks=surveyed,
        pools=tuple(_of_pool(pool, live) for pool in sorted(pools)),
        workers=tuple(_of_worker(protocol.backend, name, live) for name in _workers(protocol)),
        cut=len(ids) > max_live,
    )


def _of_task(
    protocol: Protocol, task: str, live: list[Reading], since: float, most: int
) -> TaskSurvey:
    mine = [reading for reading in live if reading.record.task == task]
    ended = protocol.archive.count(task=task, since=since, most=most)
    cut = sum(protocol.archive.count(task=task, since=since, most=most + 1).values()) > most
    counts = Counter(reading.state for reading in mine) + Counter(ended)
    return TaskSurvey(task, pool_of(task), counts, _oldest(mine), cut=cut)


def _of_pool(pool: str, live: list[Reading]) -> PoolSurvey:
    mine = [reading for reading in live if pool_of(reading.record.task) == pool]
    return PoolSurvey(pool, sum(map(_waits, mine)), _oldest(mine))


def _of_worker(backend: Backend, name: str, live: list[Reading]) -> WorkerSurvey:
    in_hand = (
        reading.id
        for reading in live
        if reading.state is State.STARTED
        and isinstance(reading.record, Run)
        and reading.record.worker == name
    )
    ready = isinstance(backend, LocalBackend) and backend.is_ready(name)
    return WorkerSurvey(name, ready, next(in_hand, None))


def _workers(protocol: Protocol) -> list[str]:
    backend = protocol.backend
    if not isinstance(backend, LocalBackend):
        return []  # another backend's processes are its own to show
    names = (bell.name for bell in backend.bells.glob("[!.]*"))
    return sorted(name for name in names if backend.lives(name))


def _waits(reading: Reading) -> bool:
    """Whether a worker could take it now: it is new, or between two attempts."""
    if isinstance(reading.record, Run):
        return reading.state is State.STARTED and reading.record.beat == 0
    return reading.state is State.QUEUED


def _oldest(readings: list[Reading]) -> float | None:
    waits = [
        reading.now - max(reading.created, reading.record.due)
        for reading in readings
        if reading.state is State.QUEUED and isinstance(reading.record, Job)
    ]
    return max(waits, default=None)
