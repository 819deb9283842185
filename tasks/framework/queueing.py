"""Where a run stands among those that wait, and which runs are in hand."""

from __future__ import annotations

from itertools import islice
from typing import Protocol as Shape
from typing import runtime_checkable

from tasks.framework.protocol import Protocol
from tasks.framework.records import Job

MOST_SCANNED = 1000
"""How many unfinished runs are looked at where the backend cannot tell how they wait."""


@runtime_checkable
class Queue(Shape):
    """A backend that can tell cheaply how its calls wait."""

    def ahead(self, call_id: str, most: int) -> int | None:
        """Count the calls that will be delivered before this one, up to ``most``.

        None: it does not wait.
        """

    def in_hand(self, pool: str) -> list[str]:
        """Return the runs that the pool's processes are busy with."""

    def waiting(self, pool: str, most: int) -> int:
        """Count the calls for the pool's processes that could be delivered now, up to ``most``."""

    def workers(self, pool: str) -> int:
        """Count the pool's processes that take calls or are busy with one."""


@runtime_checkable
class Staffed(Shape):
    """A backend that can tell how many processes there are, if nothing else."""

    def workers(self, pool: str) -> int | None:
        """Count the pool's processes. None: nobody can tell."""


def ahead(protocol: Protocol, job: Job, most: int) -> int | None:
    """Count the runs that will be started before this waiting one; None: nobody can tell."""
    if isinstance(protocol.backend, Queue):
        call = protocol.call(job.id)
        return protocol.backend.ahead(call.call, most) if call else None
    started = _started(protocol)
    before = [
        value["id"]
        for _, value in islice(protocol.store.scan("live:"), MOST_SCANNED)
        if _same_pool(protocol, job.task, value["task"])
        and (value["created"], value["id"]) < (job.created, job.id)
        and value["id"] not in started
    ]
    return min(len(before), most)


def in_hand(protocol: Protocol, task: str) -> list[str]:
    """Return the runs that the task's pool of processes is busy with."""
    if isinstance(protocol.backend, Queue):
        return protocol.backend.in_hand(protocol.pool_of(task))
    lives = islice(protocol.store.scan("live:"), MOST_SCANNED)
    mine = {value["id"] for _, value in lives if _same_pool(protocol, task, value["task"])}
    return sorted(mine & _started(protocol))


def waiting(protocol: Protocol, task: str, most: int) -> int:
    """Count the runs that wait for the task's pool of processes and could be started now.

    Where the backend cannot tell, up to `MOST_SCANNED` at most.
    """
    if isinstance(protocol.backend, Queue):
        return protocol.backend.waiting(protocol.pool_of(task), most)
    started = _started(protocol)
    lives = islice(protocol.store.scan("live:"), MOST_SCANNED)
    waits = [
        value["id"] not in started and _same_pool(protocol, task, value["task"])
        for _, value in lives
    ]
    return min(sum(waits), most)


def workers(protocol: Protocol, task: str) -> int | None:
    """Count the processes that take runs of the task. None: the backend cannot tell."""
    backend = protocol.backend
    return backend.workers(protocol.pool_of(task)) if isinstance(backend, Staffed) else None


def _started(protocol: Protocol) -> set[str]:
    return {key.split(":")[1] for key, _ in islice(protocol.store.scan("run:"), MOST_SCANNED)}


def _same_pool(protocol: Protocol, task: str, other: str) -> bool:
    return task == other or protocol.pool_of(task) == protocol.pool_of(other)
