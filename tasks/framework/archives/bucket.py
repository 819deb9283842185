"""Final records as objects of a bucket, with index entries that list without opening a record."""

from __future__ import annotations

import builtins
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from tasks.framework.archives import Position
from tasks.framework.archives.bucket_keys import (
    BEHIND,
    DELETED,
    END,
    entry_keys,
    entry_of,
    folder,
    index_keys,
    inverted_moment,
    place,
    record_key,
)
from tasks.framework.archives.bucket_totals import Counting, count_key
from tasks.framework.records import Final
from tasks.framework.states import FINAL_STATES, State
from tasks.framework.totals import Totals

T = TypeVar("T")
R = TypeVar("R")

PARALLEL = 16
"""How many requests one call makes at a time at most."""

PAGE = 1000
_ATTEMPTS = 5


class RecordBucket(Protocol):
    """What the archive needs of a bucket: small values by key, for any number of threads."""

    def add(self, key: str, value: bytes) -> bool:
        """Store only if absent. Of many callers one at most hears that it did; it may be none."""

    def put(self, key: str, value: bytes) -> None:
        """Store, replacing what was there."""

    def get(self, key: str) -> bytes | None:
        """Return the value, or None."""

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[str]:
        """Return the first keys that begin with `prefix` and are greater than `after`, in order.

        They are ordered by their bytes, and every write that has ended is seen.
        """

    def delete(self, *keys: str) -> None:
        """Remove them; absent is fine."""


class BucketArchive:
    """An archive for any number of machines that share a bucket.

    A record's own object is written first, and decides: with it stands when it was kept. Its
    index entries and its count follow from that and may be written any number of times, which
    every later `put` of it does. So whoever dies in between leaves what the next one mends.
    """

    def __init__(self, bucket: RecordBucket, clock: Callable[[], float] = time.time) -> None:
        self._bucket = bucket
        self._clock = clock
        self._counting = Counting(bucket, clock)

    def put(self, record: Final) -> None:
        """Keep a record, unless one was kept or deleted before: four writes, three at a time."""
        kept = self._clock()
        told = json.dumps({"kept": kept, "record": record.to_json()}).encode()
        if not self._bucket.add(record_key(record.id), told):
            stored = self._stored(record.id)
            if stored is None or "record" not in stored:
                return
            record, kept = Final.from_json(stored["record"]), stored["kept"]
        keys = [*index_keys(record), count_key(record, kept)]
        _together(lambda key: self._bucket.put(key, b""), keys)

    def get(self, run_id: str) -> Final | None:
        """Return the record, or None: one read."""
        stored = self._stored(run_id)
        return Final.from_json(stored["record"]) if stored and "record" in stored else None

    def list(
        self,
        *,
        task: str,
        owner: str | None = None,
        states: Collection[State] = (),
        after: Position | None = None,
        limit: int = 50,
    ) -> builtins.list[Final]:
        """Return records newest first: one listing per state, and one read per record."""
        chosen = {*states} & FINAL_STATES if states else FINAL_STATES
        folders = [folder(task, state, owner) for state in chosen]
        behind = place(after) + BEHIND if after else ""
        found: list[Final] = []
        while folders and len(found) < limit:
            wanted = limit - len(found)
            keys = self._first(folders, behind, wanted)
            found += self._opened(keys)
            if len(keys) < wanted:
                break
            behind = _name(keys[-1])
        return found

    def count(
        self, *, task: str, since: float = -math.inf, before: float = math.inf, most: int
    ) -> dict[State, int]:
        """Count a task's records by state: one listing per state and thousand, and no read."""
        start = inverted_moment(before) + BEHIND
        end = inverted_moment(since)

        def entries(state: State) -> builtins.list[tuple[str, State]]:
            listed = folder(task, state)
            return [(name, state) for name in self._names(listed, start, end, most)]

        found = [entry for each in _together(entries, FINAL_STATES) for entry in each]
        return Counter(state for _, state in sorted(found)[:most])

    def delete(self, run_id: str) -> None:
        """Remove a record for good; what is left of it is its id, until it is purged."""
        for _ in range(_ATTEMPTS):
            stored = self._stored(run_id)
            if self._is_deleted(run_id, stored):
                return
        raise RuntimeError(f"the record {run_id} is written and removed all the time")

    def purge(self, *, task: str, before: float) -> int:
        """Drop a task's records created before a moment, and what was deleted before it."""
        dropped = 0
        start = inverted_moment(before) + BEHIND
        for state in FINAL_STATES:
            listed = folder(task, state)
            while keys := self._bucket.list(listed, after=listed + start, limit=PAGE):
                self._drop(task, state, keys)
                dropped += len(keys)
        while keys := self._bucket.list(DELETED, after=DELETED + start, limit=PAGE):
            self._drop_deleted(keys)
        return dropped

    def totals(self, task: str) -> Totals:
        """Return what became of a task's runs: one listing and one read, as a rule."""
        return self._counting.totals(task)

    def _stored(self, run_id: str) -> dict[str, Any] | None:
        """Read a record with when it was kept, or that it was deleted and what it had."""
        found = self._bucket.get(record_key(run_id))
        stored: dict[str, Any] | None = json.loads(found) if found is not None else None
        return stored

    def _first(self, folders: builtins.list[str], behind: str, limit: int) -> builtins.list[str]:
        """Return the first entries of all folders together, behind a place."""

        def entries(listed: str) -> list[str]:
            return self._bucket.list(listed, after=listed + behind, limit=limit)

        found = [key for keys in _together(entries, folders) for key in keys]
        return sorted(found, key=_name)[:limit]

    def _names(self, listed: str, behind: str, end: str, most: int) -> builtins.list[str]:
        """Return the names of a folder's entries from a place to a moment, so many at most."""
        found: list[str] = []
        while len(found) < most:
            asked = min(PAGE, most - len(found))
            keys = self._bucket.list(listed, after=listed + behind, limit=asked)
            names = [name for name in map(_name, keys) if name[:16] <= end]
            found += names
            if len(names) < asked:
                break
            behind = names[-1]
        return found

    def _opened(self, keys: builtins.list[str]) -> builtins.list[Final]:
        """Read the records of entries; remove those that a deletion or a purge has left."""
        records = _together(self.get, [entry_of(_name(key)).position[1] for key in keys])
        found = dict(zip(keys, records, strict=True))
        left = [key for key, record in found.items() if record is None]
        if left:
            self._bucket.delete(*left)
        return [record for record in found.values() if record]

    def _is_deleted(self, run_id: str, stored: dict[str, Any] | None) -> bool:
        """Delete what was read; False if somebody has kept a record meanwhile."""
        if stored and "record" not in stored:
            self._bucket.delete(*stored["keys"])  # whoever deleted it may not have come so far
            return True
        now = self._clock()
        keys = index_keys(Final.from_json(stored["record"])) if stored else ()
        told = json.dumps({"deleted": now, "keys": keys}).encode()
        self._bucket.put(f"{DELETED}{place((now, run_id))}{END}", b"")
        if stored is None:
            return self._bucket.add(record_key(run_id), told)
        self._bucket.put(record_key(run_id), told)
        self._bucket.delete(*keys)
        return True

    def _drop(self, task: str, state: State, keys: builtins.list[str]) -> None:
        """Remove records; the entries that lead to them go last."""
        entries = [entry_of(_name(key)) for key in keys]
        self._bucket.delete(*(record_key(entry.position[1]) for entry in entries))
        self._bucket.delete(*(entry_keys(task, state, entry)[0] for entry in entries))
        self._bucket.delete(*keys)

    def _drop_deleted(self, keys: builtins.list[str]) -> None:
        ids = [entry_of(_name(key)).position[1] for key in keys]
        stored = zip(ids, _together(self._stored, ids), strict=True)
        # an entry may have no mark: whoever wrote it died, or was not first
        marks = [run_id for run_id, found in stored if found and "record" not in found]
        self._bucket.delete(*map(record_key, marks))
        self._bucket.delete(*keys)


def _together(call: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Call it for each, several at a time; the first failure is raised when all have ended."""
    given = list(items)
    if len(given) < 2:
        return [call(item) for item in given]
    with ThreadPoolExecutor(min(PARALLEL, len(given))) as pool:
        return list(pool.map(call, given))


def _name(key: str) -> str:
    return key.rpartition("/")[2]
