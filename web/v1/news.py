"""What is new in a job for a client that has seen it before, as a sequence of events."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from tasks.jobs import ENDED
from web.v1.telling import COUNTED_DOWN, Document

STATUS_FIELDS = (
    "status",
    "queue_position",
    COUNTED_DOWN,
    "started_at",
    "completed_at",
    "error",
)
PROGRESS_FIELDS = (
    "progress",
    "current_node",
    "current_step",
    "total_steps",
    "nodes_done",
    "nodes_total",
)

_ID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{8})-(\d{1,6})-(\d{1,6})-([0-9a-f]{8})(-end)?", re.ASCII)


@dataclass(frozen=True)
class Seen:
    """What a client has seen of a job; as text, the id of the event that showed it the last.

    Of the status, the progress and the newest line of the log it holds checksums, of outputs
    and lines of the log their number.
    """

    status: str
    progress: str
    outputs: int
    lines: int
    line: str
    ended: bool = False

    def __str__(self) -> str:
        end = "-end" if self.ended else ""
        return f"{self.status}-{self.progress}-{self.outputs}-{self.lines}-{self.line}{end}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read the id of an event; None if it is none."""
        parts = _ID.fullmatch(text)
        if not parts:
            return None
        status, progress, outputs, lines, line, end = parts.groups()
        return cls(status, progress, int(outputs), int(lines), line, end is not None)

    @classmethod
    def of(cls, document: Document) -> Self:
        """Return what somebody has seen who has seen all of `document`, but not its end."""
        logs = document["logs"]
        return cls(
            _checksum(_status_of(document) | {COUNTED_DOWN: None}),
            _checksum(_progress_of(document)),
            len(document["outputs"]),
            len(logs),
            _checksum(logs[-1] if logs else None),
        )


@dataclass(frozen=True)
class Event:
    """Something to tell, and what the client will have seen with it."""

    name: str
    data: Document
    seen: Seen


def news(document: Document, seen: Seen, tell: Callable[[], Document]) -> Iterator[Event]:
    """Yield what `seen` lacks of the job; the last event of an ended one is ``end``.

    Args:
        document: the job, with anything for links.
        seen: what the client has seen.
        tell: returns the job with links, for the events that show some.
    """
    now = Seen.of(document)
    ended = document["status"] in ENDED
    if now.status != seen.status and not ended:
        seen = replace(seen, status=now.status)
        yield Event("status", _status_of(document), seen)
    for line in _new_lines(document["logs"], seen):
        seen = replace(seen, lines=seen.lines + 1, line=_checksum(line))
        yield Event("log", {"line": line}, seen)
    seen = replace(seen, lines=now.lines, line=now.line)  # the oldest lines may have gone
    if now.progress != seen.progress:
        seen = replace(seen, progress=now.progress)
        yield Event("progress", _progress_of(document), seen)
    if now.outputs < seen.outputs:  # another attempt has begun, from nothing
        seen = replace(seen, outputs=0)
    for output in tell()["outputs"][seen.outputs :] if now.outputs > seen.outputs else ():
        seen = replace(seen, outputs=seen.outputs + 1)
        yield Event("output", output, seen)
    if ended:
        if now.status != seen.status:
            seen = replace(seen, status=now.status)
            yield Event("status", _status_of(document), seen)
        yield Event("end", tell(), replace(now, ended=True))


def _new_lines(logs: Sequence[str], seen: Seen) -> Sequence[str]:
    """Return the lines behind the last one seen, which moves as the oldest are dropped."""
    if not seen.lines:
        return logs
    places = [seen.lines, *range(len(logs), 0, -1)]
    for place in places:
        if place <= len(logs) and _checksum(logs[place - 1]) == seen.line:
            return logs[place:]
    return logs


def _status_of(document: Document) -> Document:
    return {name: document[name] for name in STATUS_FIELDS}


def _progress_of(document: Document) -> Document:
    return {name: document[name] for name in PROGRESS_FIELDS}


def _checksum(value: Any) -> str:
    return f"{zlib.crc32(json.dumps(value, sort_keys=True).encode()):08x}"
