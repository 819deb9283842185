"""The events of a job as typed values, and how they are read from a stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from web.answers import Job, JobError, Output, read_error, read_job, read_output


@dataclass(frozen=True)
class Snapshot:
    """The job as it was when the stream began; `id` is what a later stream resumes at."""

    id: str
    job: Job


@dataclass(frozen=True)
class StatusChanged:
    """The job's status or its place in the queue is another."""

    id: str
    status: str
    queue_position: int | None = None
    estimated_wait_seconds: float | None = None
    error: JobError | None = None


@dataclass(frozen=True)
class Progressed:
    """The job has come further, in percent and by nodes and steps."""

    id: str
    progress: int
    current_node: str | None = None
    current_step: int | None = None
    total_steps: int | None = None
    nodes_done: int = 0
    nodes_total: int = 0


@dataclass(frozen=True)
class OutputStored:
    """There is another output, which can be downloaded while the job goes on."""

    id: str
    output: Output


@dataclass(frozen=True)
class LogLine:
    """The job's log has another line."""

    id: str
    line: str


@dataclass(frozen=True)
class Ended:
    """The job has ended as `job` says; nothing comes after this."""

    id: str
    job: Job


Event = Snapshot | StatusChanged | Progressed | OutputStored | LogLine | Ended


def read_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events in a stream of bytes, up to where it ends or breaks off.

    Fields are read as https://html.spec.whatwg.org/multipage/server-sent-events.html has them,
    for the line ends that our API sends. Names that a newer server may have are passed over.

    Raises:
        ValueError: an event does not hold what one of its name does.
    """
    fields: dict[str, str] = {}
    for line in _lines(chunks):
        if not line:
            event = _event(fields)
            fields = {}
            if event:
                yield event
            continue
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        if b"\n" not in chunk:
            continue
        *whole, rest = bytes(pending).split(b"\n")
        pending = bytearray(rest)
        for line in whole:
            yield line.decode().removesuffix("\r")


def _event(fields: dict[str, str]) -> Event | None:
    if "event" not in fields or "data" not in fields:
        return None  # a heartbeat
    try:
        return _typed(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"an event {fields['event']!r} without what belongs in it") from error


def _typed(name: str, event_id: str, data: Any) -> Event | None:
    make = _KINDS.get(name)
    return make(event_id, data) if make else None


def _status(event_id: str, data: Any) -> StatusChanged:
    position, seconds = data.get("queue_position"), data.get("estimated_wait_seconds")
    return StatusChanged(
        event_id, data["status"], position, seconds, read_error(data.get("error"))
    )


def _progressed(event_id: str, data: Any) -> Progressed:
    return Progressed(
        event_id,
        data["progress"],
        current_node=data.get("current_node"),
        current_step=data.get("current_step"),
        total_steps=data.get("total_steps"),
        nodes_done=data.get("nodes_done", 0),
        nodes_total=data.get("nodes_total", 0),
    )


_KINDS: dict[str, Callable[[str, Any], Event]] = {
    "snapshot": lambda event_id, data: Snapshot(event_id, read_job(data)),
    "status": _status,
    "progress": _progressed,
    "output": lambda event_id, data: OutputStored(event_id, read_output(data)),
    "log": lambda event_id, data: LogLine(event_id, data["line"]),
    "end": lambda event_id, data: Ended(event_id, read_job(data)),
}
