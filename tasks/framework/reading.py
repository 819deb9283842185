"""What a run looks like from outside: one run, or a listing.

Part of the protocol (see `protocol`), in a module of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.framework.archives import Position
from tasks.framework.protocol import Protocol
from tasks.framework.records import RETRY, Final, Job, Run
from tasks.framework.states import State

WAITING = frozenset({State.SCHEDULED, State.QUEUED})
"""The states of what no worker has begun."""


@dataclass(frozen=True)
class Reading:
    """A run as it was found: exactly one of the three records."""

    id: str
    record: Final | Run | Job
    now: float

    @property
    def state(self) -> State:
        """Which state the record stands for."""
        if isinstance(self.record, Final):
            return self.record.state
        if isinstance(self.record, Run):
            parked = self.record.ended == RETRY and self.record.due > self.now
            return State.RETRYING if parked else State.STARTED
        return State.SCHEDULED if self.record.due > self.now else State.QUEUED

    @property
    def owner(self) -> str | None:
        """Who sent it."""
        return self.record.owner

    @property
    def created(self) -> float:
        """When it was committed, in seconds since 1970."""
        return self.record.created

    @property
    def started(self) -> float | None:
        """When attempt 1 began, or None."""
        return None if isinstance(self.record, Job) else self.record.started

    @property
    def ended(self) -> float | None:
        """When it ended, or None."""
        return self.record.ended if isinstance(self.record, Final) else None

    @property
    def meta(self) -> Mapping[str, Any]:
        """The newest progress that the body reported."""
        return {} if isinstance(self.record, Job) else self.record.meta

    @property
    def logs(self) -> list[str]:
        """The lines that the body logged."""
        return [] if isinstance(self.record, Job) else self.record.logs

    @property
    def kept(self) -> Mapping[str, Any]:
        """What the body kept, over all of its attempts."""
        return {} if isinstance(self.record, Job) else self.record.kept

    @property
    def headers(self) -> Mapping[str, Any]:
        """What it was sent with, beside its arguments."""
        return self.record.headers

    @property
    def result(self) -> Any:
        """What the body returned, or None."""
        return self.record.result if isinstance(self.record, Final) else None

    @property
    def error(self) -> Mapping[str, Any] | None:
        """What the body raised, as a record, or None."""
        return self.record.error if isinstance(self.record, Final) else None

    @property
    def position(self) -> Position:
        """Where it stands in a listing."""
        return (self.created, self.id)


def read(protocol: Protocol, run_id: str) -> Reading | None:
    """Read one run: final, run, final once more, job, archive. None when it is unknown.

    A running run costs at most three reads, a finished one a single read. What two successive
    calls return never goes back.
    """
    final = protocol.final(run_id)
    _, run = (0, None) if final else protocol.newest(run_id)
    if run and not run.never:
        return Reading(run_id, run, protocol.clock())
    final = final or protocol.final(run_id)  # it may have ended, and its run been deleted
    job = None if final else protocol.job(run_id)
    if job and not job.void:
        return Reading(run_id, job, protocol.clock())
    final = final or protocol.archive.get(run_id)
    return Reading(run_id, final, protocol.clock()) if final else None


def listing(
    protocol: Protocol,
    *,
    task: str,
    owner: str | None = None,
    states: Collection[State] = (),
    after: Position | None = None,
    limit: int = 50,
) -> list[Reading]:
    """List runs newest first: the live ones, then the archive; an id in both is the archive's."""
    places = _places(protocol, task, owner, states)  # before the archive is read
    done = protocol.archive.list(task=task, owner=owner, states=states, after=after, limit=limit)
    found = {final.id: Reading(final.id, final, protocol.clock()) for final in done}
    unread = limit  # a place behind so many that are shown is not shown
    for place in sorted(places, reverse=True):
        run_id = place[1]
        if unread == 0 or run_id in found or (after is not None and place >= after):
            continue
        reading = read(protocol, run_id)
        if reading and _is_wanted(reading, task, owner, states):
            found[run_id] = reading
            unread -= 1
    ordered = sorted(found.values(), key=lambda item: item.position, reverse=True)
    return [item for item in ordered if after is None or item.position < after][:limit]


def _places(
    protocol: Protocol, task: str, owner: str | None, states: Collection[State]
) -> list[Position]:
    """Return where the runs stand that are not archived and may be in one of the states.

    What has begun has a run, and so has what ended before it began: their mark. They stay until
    it is archived. Those are few, however many wait.
    """
    if not states or not WAITING.isdisjoint(states):
        return [
            (value["created"], value["id"])
            for _, value in protocol.store.scan("live:")
            if value["task"] == task and (owner is None or value["owner"] == owner)
        ]
    places: dict[str, Position] = {}
    for key, value in protocol.store.scan("run:"):
        run_id, run = key.split(":")[1], Run.from_json(value)
        if run.task == task and not run.never:
            places[run_id] = (run.created, run_id)
        elif run.never and (job := protocol.job(run_id)):
            places[run_id] = (job.created, run_id)
    return list(places.values())


def _is_wanted(reading: Reading, task: str, owner: str | None, states: Collection[State]) -> bool:
    return (
        reading.record.task == task
        and (owner is None or reading.owner == owner)
        and (not states or reading.state in states)
    )
