"""The keys of a `BucketArchive`: made so that a bucket, which lists by key, lists newest first."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from hashlib import sha256

from tasks.framework.archives import Position
from tasks.framework.records import Final
from tasks.framework.states import State

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,199}")
_ALL_BITS = (1 << 64) - 1
_SIGN = 1 << 63

END = "z"
"""Ends an id within a key: it sorts behind every hex digit, so longer ids come first."""

BEHIND = END + END
"""With this at its end, a position sorts behind whatever stands at it."""

DELETED = "deleted/"
"""Where each id that was deleted has an entry, by the moment of its deletion."""


@dataclass(frozen=True)
class Entry:
    """What the name of an index entry tells: a record's position and its owner, as a digest."""

    position: Position
    owner: str


def record_key(run_id: str) -> str:
    """Return where the record of a run is, or the mark of its deletion."""
    return f"records/{_token(run_id)}"


def folder(task: str, state: State, owner: str | None = None) -> str:
    """Return where the index of a task's runs in a state is, or of an owner's among them."""
    return _folder(task, state, digest(owner) if owner is not None else "")


def index_keys(record: Final) -> tuple[str, ...]:
    """Return the entries of a record: the one of its owner, if it has one, before everybody's."""
    owner = digest(record.owner) if record.owner is not None else ""
    return entry_keys(record.task, record.state, Entry(record.position, owner))


def entry_keys(task: str, state: State, entry: Entry) -> tuple[str, ...]:
    """Return both keys of an entry, everybody's last: who finds that one knows the other."""
    name = f"{place(entry.position)}{END}{entry.owner}"
    owners = [entry.owner, ""] if entry.owner else [""]
    return tuple(f"{_folder(task, state, owner)}{name}" for owner in owners)


def entry_of(name: str) -> Entry:
    """Read the name of an index entry, which is its key without the folder."""
    placed, _, owner = name.partition(END)
    run_id = _inverted(bytes.fromhex(placed[16:])).decode("utf-8", "surrogatepass")
    return Entry((_moment(placed[:16]), run_id), owner)


def place(position: Position) -> str:
    """Return text that sorts as positions do, the newest first; it begins with the moment."""
    created, run_id = position
    return inverted_moment(created) + _inverted(run_id.encode("utf-8", "surrogatepass")).hex()


def inverted_moment(seconds: float) -> str:
    """Return 16 hex digits that sort as moments do, the newest first, and lose nothing.

    The bits of IEEE 754 doubles sort as their values, but for the sign.
    """
    (bits,) = struct.unpack(">Q", struct.pack(">d", seconds + 0.0))  # -0.0 becomes 0.0
    ordered = bits ^ (_ALL_BITS if bits & _SIGN else _SIGN)
    return f"{ordered ^ _ALL_BITS:016x}"


def counts_folder(task: str) -> str:
    """Return where what became of a task's runs is counted."""
    return f"totals/{_token(task)}/"


def digest(text: str) -> str:
    """Return 128 bits that stand for any text, in hex."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _folder(task: str, state: State, owner: str) -> str:
    return f"index/{_token(task)}/{state.value}/{f'of/{owner}' if owner else 'all'}/"


def _token(text: str) -> str:
    """Return it, if it can be part of a key, or else its digest, in a folder of its own."""
    return text if _PLAIN.fullmatch(text) else f"digest/{digest(text)}"


def _moment(text: str) -> float:
    ordered = int(text, 16) ^ _ALL_BITS
    bits = ordered ^ (_SIGN if ordered & _SIGN else _ALL_BITS)
    moment: float = struct.unpack(">d", struct.pack(">Q", bits))[0]
    return moment


def _inverted(content: bytes) -> bytes:
    return bytes(255 - each for each in content)
