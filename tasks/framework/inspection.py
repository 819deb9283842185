"""What operators ask of a deployment: which runs there are, everything about one, what is old."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from tasks.framework.errors import TasksError
from tasks.framework.plan import child_ids
from tasks.framework.protocol import Protocol
from tasks.framework.reading import Reading, listing, read
from tasks.framework.records import Final, Job, Run
from tasks.framework.states import State
from tasks.framework.task import pool_of, registry

MAX_LIVE = 10_000
"""How many unfinished runs are looked at before a survey says that it was cut short."""

MAX_COUNTED = 10_000
"""How many records of one task are counted before a survey says that it was cut short."""

MAX_CHILDREN = 100
"""How many of the runs that came out of one are looked for."""

TIMES = frozenset({"beat", "created", "deadline", "due", "ended", "started"})
"""The fields of records that are seconds since 1970."""


class NoSuchTask(TasksError):
    """An operator named a task that is not declared here and has no runs."""

    def __init__(self, name: str) -> None:
        near = difflib.get_close_matches(name, _spoken_names(), n=3)
        known = near or sorted(registry)
        super().__init__(f"there is no task {name!r}: choose one of {', '.join(known)}")
        self.name = name


@dataclass(frozen=True)
class Listing:
    """Some runs, newest first; ``more`` says that there are others behind them."""

    runs: tuple[Reading, ...]
    more: bool


@dataclass(frozen=True)
class Details:
    """Everything that is known of one run.

    ``job`` and ``run`` are the records of a run that has not ended; ``waiting`` says whether
    the backend still holds its newest delivery, ``stop_asked`` when it was asked to stop.
    ``children`` are the first `MAX_CHILDREN` runs that came out of it.
    """

    reading: Reading
    job: Job | None = None
    run: Run | None = None
    waiting: bool = False
    stop_asked: float | None = None
    children: tuple[Reading, ...] = ()

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of its records together; the newest attempt's win."""
        run = self.run or self.reading.record
        found = self.job.to_json() if self.job else {}
        due = found.get("due")
        found |= run.to_json()
        if isinstance(run, Run):
            found["attempt_ended"] = found.pop("ended")
            found["due"] = run.due or due
        for name in ("digest", "never", "void"):
            found.pop(name, None)
        head = {"id": self.reading.id, "state": self.reading.state.value}
        return {**head, **found, **head, "pool": pool_of(found["task"])}

    def to_json(self) -> dict[str, Any]:
        """Return it with its times in words."""
        found = {
            name: stamp(value) if name in TIMES else value for name, value in self.fields.items()
        }
        children = [{"id": child.id, "state": child.state.value} for child in self.children]
        asked = stamp(self.stop_asked)
        return {**found, "waiting": self.waiting, "stop_asked": asked, "children": children}


def stamp(seconds: float | None) -> str | None:
    """Return a moment as ISO 8601 in UTC; none, and the mark 0, are None."""
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else None


def summary(reading: Reading) -> dict[str, Any]:
    """Return what a listing says of a run, as JSON."""
    return {
        "id": reading.id,
        "task": reading.record.task,
        "state": reading.state.value,
        "attempt": 0 if isinstance(reading.record, Job) else reading.record.attempt,
        "owner": reading.owner,
        "created": stamp(reading.created),
        "started": stamp(reading.started),
        "ended": stamp(reading.ended),
        "error": _in_short(reading),
    }


def resolve(protocol: Protocol, names: Collection[str]) -> tuple[str, ...]:
    """Return the full names of tasks; no names mean every task that is declared or has live runs.

    A task may be named by the last part of its name, if no other one ends like that. One that
    is not declared any more goes by its full name, as long as there are runs of it.

    Raises:
        NoSuchTask: there is no such task.
    """
    live = {value["task"] for _, value in islice(protocol.store.scan("live:"), MAX_LIVE)}
    if not names:
        return tuple(sorted({*registry, *live}))
    return tuple(dict.fromkeys(_resolve_one(protocol, name, live) for name in names))


def declared(name: str) -> str:
    """Return the full name of a declared task, which may be named by the last part of it.

    Raises:
        NoSuchTask: there is none, or there are several.
    """
    if name in registry:
        return name
    alike = [each for each in registry if each.endswith(f".{name}")]
    if len(alike) != 1:
        raise NoSuchTask(name)
    return alike[0]


def list_runs(
    protocol: Protocol,
    tasks: Collection[str],
    *,
    states: Collection[State] = (),
    owner: str | None = None,
    limit: int = 50,
) -> Listing:
    """List the newest runs of several tasks. No states mean all."""
    found = [
        reading
        for task in tasks
        for reading in listing(protocol, task=task, owner=owner, states=states, limit=limit + 1)
    ]
    found.sort(key=lambda reading: reading.position, reverse=True)
    return Listing(tuple(found[:limit]), more=len(found) > limit)


def details(protocol: Protocol, run_id: str) -> Details | None:
    """Read everything about one run. None: nothing is known of this id."""
    reading = read(protocol, run_id)
    job = None if reading is None or reading.state.final else protocol.job(run_id)
    if job is None and reading and not reading.state.final:  # it has ended just now
        reading = read(protocol, run_id)
    if reading is None or job is None:
        return _of_ended(protocol, reading) if reading else None
    _, run = protocol.newest(run_id)
    call = protocol.call(run_id)
    stop = protocol.store.get(f"stop:{run_id}")
    return Details(
        reading,
        job,
        run if run and not run.never else None,
        waiting=call is not None and protocol.backend.alive(call.call),
        stop_asked=stop["asked"] if stop else None,
        children=_children(protocol, job),
    )


def count_old(protocol: Protocol, task: str, *, before: float) -> int:
    """Count a task's finished runs that were sent before a moment, up to `MAX_COUNTED`."""
    return sum(protocol.archive.count(task=task, before=before, most=MAX_COUNTED).values())


def _of_ended(protocol: Protocol, reading: Reading) -> Details:
    record = reading.record
    children = _children(protocol, record) if isinstance(record, Final) else ()
    return Details(reading, children=children)


def _children(protocol: Protocol, record: Job | Final) -> tuple[Reading, ...]:
    found = (read(protocol, child) for child in child_ids(record)[:MAX_CHILDREN])
    return tuple(child for child in found if child)


def _resolve_one(protocol: Protocol, name: str, live: Collection[str]) -> str:
    if name in live or name in registry or protocol.archive.list(task=name, limit=1):
        return name
    return declared(name)


def _spoken_names() -> list[str]:
    return [*registry, *(name.rpartition(".")[2] for name in registry)]


def _in_short(reading: Reading) -> str | None:
    if not reading.error:
        return None
    return f"{reading.error.get('type', 'Error')}: {reading.error.get('message', '')}"
