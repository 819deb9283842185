"""The records of a run, as frozen values; the store sees them as JSON objects.

Their keys, and who may write which, are in `protocol`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tasks.framework.states import State

Json = Mapping[str, Any]

WORKER_LOST = {"type": "WorkerLost", "message": "worker lost: its process died in every attempt"}
"""The error of a run whose attempts fell silent."""

RETRY, HANDED, LOST = "retry", "handed", "lost"
"""How an attempt can end without ending its run."""


_names: dict[type, tuple[str, ...]] = {}


def names_of(record: type[Record]) -> tuple[str, ...]:
    """Return the names of a record's fields; remembered, since records are read all the time."""
    if record not in _names:
        _names[record] = tuple(item.name for item in dataclasses.fields(record))
    return _names[record]


@dataclass(frozen=True)
class Record:
    """Something that is kept in a store."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object. It is never empty, since an empty object reads as none."""
        return {name: getattr(self, name) for name in names_of(type(self))}

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Read what `to_json` wrote, leaving out what a newer version may have added."""
        return cls(**{name: value[name] for name in names_of(cls) if name in value})


@dataclass(frozen=True)
class Job(Record):
    """A committed submission: everything needed to carry it out. Never changed.

    Times are in seconds since 1970; ``deadline`` is when attempt 1 must have started, ``due``
    is when it may; ``expires``, in seconds, lies between the two. ``void`` marks a submission
    that was abandoned before it was committed.
    """

    id: str
    task: str = ""
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    owner: str | None = None
    created: float = 0.0
    deadline: float | None = None
    due: float = 0.0
    expires: float | None = None
    slot: str | None = None
    digest: str = ""
    link: Json | None = None
    link_error: Json | None = None
    timeout: float | None = None
    retry: Json | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    void: bool = False

    @property
    def message(self) -> dict[str, Any]:
        """What a backend delivers: whose run it is, and what it asks of the place it runs in."""
        asked = {"resources": self.resources} if self.resources else {}
        return {"id": self.id, "task": self.task, **asked}


@dataclass(frozen=True)
class Live(Record):
    """What a listing needs to know of an unfinished run."""

    id: str
    task: str
    owner: str | None
    created: float
    deadline: float | None


@dataclass(frozen=True)
class Slot(Record):
    """A place under an owner's limit, taken for one run."""

    id: str
    at: float


@dataclass(frozen=True)
class Call(Record):
    """The backend's id of the newest delivery. Only a hint."""

    call: str


@dataclass(frozen=True)
class Run(Record):
    """One attempt. ``beat`` is its last sign of life; 0 says that it has stopped.

    ``ended`` then says how: ``retry`` (it raised, and the next one may start at ``due``),
    ``handed`` (its process was asked to stop) or ``lost`` (its process died). ``tried`` and
    ``losses`` count the earlier attempts that raised and that were lost.
    ``never`` on attempt 1 is the mark that no attempt will ever start. ``logs`` and ``kept`` go
    on from attempt to attempt.
    """

    beat: float = 0.0
    attempt: int = 1
    worker: str = ""
    started: float = 0.0
    task: str = ""
    owner: str | None = None
    created: float = 0.0
    headers: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    never: str | None = None
    ended: str | None = None
    due: float = 0.0
    tried: int = 0
    losses: int = 0

    @property
    def fallen(self) -> int:
        """How many attempts were lost, this one among them if it is silent without a word."""
        return self.losses + (self.ended in {None, LOST})

    @classmethod
    def of(cls, job: Job, before: Run | None, *, worker: str, now: float) -> Self:
        """Begin the attempt behind ``before``; what that one had logged and kept goes on."""
        return cls(
            tried=before.tried + (before.ended == RETRY) if before else 0,
            losses=before.fallen if before else 0,
            beat=now,
            attempt=before.attempt + 1 if before else 1,
            worker=worker,
            started=before.started if before else now,
            task=job.task,
            owner=job.owner,
            created=job.created,
            headers=job.headers,
            logs=[*before.logs] if before else [],
            kept={**before.kept} if before else {},
        )


@dataclass(frozen=True)
class Claim:
    """An attempt that this process, and no other, may carry out."""

    job: Job
    run: Run


@dataclass(frozen=True)
class Ending(Record):
    """What a worker, a revoker or the tick has to say about how a run ended."""

    state: State
    result: Any = None
    error: Json | None = None
    attempt: int = 0
    started: float | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, state: State, run: Run | None, *, result: Any = None, error: Json | None = None
    ) -> Self:
        """Say how a run ended, keeping what its newest attempt had reported."""
        if run is None:
            return cls(state, result, error)
        told = (run.attempt, run.started, run.meta, run.logs, run.kept)
        return cls(state, result, error, *told)


@dataclass(frozen=True)
class Final(Record):
    """How a run ended: the archive's record, complete, written once."""

    id: str
    task: str
    state: State
    owner: str | None
    slot: str | None
    created: float
    ended: float
    digest: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    link: Json | None = None
    link_error: Json | None = None
    timeout: float | None = None
    retry: Json | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    expires: float | None = None
    started: float | None = None
    attempt: int = 0
    result: Any = None
    error: Json | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, job: Job, ending: Ending, now: float) -> Self:
        """Put the whole record together: nothing else is read when it is archived."""
        return super().from_json({**job.to_json(), **ending.to_json(), "ended": now})

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Read what `to_json` wrote."""
        return super().from_json({**value, "state": State(value["state"])})

    @property
    def position(self) -> tuple[float, str]:
        """Where it stands in a listing."""
        return (self.created, self.id)

    def followers(self, now: float) -> list[Job]:
        """Build the linked runs: ids derived, their first argument the id of what has ended."""
        links = {"link": self.link}
        if self.state is not State.SUCCEEDED:
            links["error"] = self.link_error
        return [
            follower(self.id, name, link, now) for name, link in links.items() if link is not None
        ]


def follower(run_id: str, name: str, link: Json, now: float) -> Job:
    """Build a run that follows another one, whose id it is given."""
    expires: float | None = link.get("expires")
    return Job(
        id=f"{run_id}.{name}",
        task=link["task"],
        args=[run_id, *link.get("args", [])],
        kwargs=dict(link.get("kwargs", {})),
        created=now,
        deadline=now + expires if expires is not None else None,
        due=now,
        expires=expires,
        timeout=link.get("timeout"),
        digest=f"{name} of {run_id}",
    )
