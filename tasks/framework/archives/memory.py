"""Final records in a dictionary: for the eager backend and for tests."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Collection

from tasks.framework.archives import Position
from tasks.framework.records import Final
from tasks.framework.states import State
from tasks.framework.totals import Tally, Totals, add_up, tallies


class MemoryArchive:
    """An archive for one process."""

    def __init__(self) -> None:
        self._records: dict[str, Final | None] = {}
        self._totals: dict[str, dict[Tally, tuple[int, float]]] = {}
        self._lock = threading.Lock()

    def put(self, record: Final) -> None:
        """Keep a record, unless one was kept or deleted before."""
        with self._lock:
            if record.id in self._records:
                return
            self._records[record.id] = record
            totals = self._totals.setdefault(record.task, {})
            for tally, seconds in tallies(record).items():
                count, before = totals.get(tally, (0, 0.0))
                totals[tally] = count + 1, before + seconds

    def get(self, run_id: str) -> Final | None:
        """Return the record, or None."""
        return self._records.get(run_id)

    def list(
        self,
        *,
        task: str,
        owner: str | None = None,
        states: Collection[State] = (),
        after: Position | None = None,
        limit: int = 50,
    ) -> list[Final]:
        """Return records newest first."""
        with self._lock:
            records = [record for record in self._records.values() if record]
        chosen = [
            record
            for record in records
            if record.task == task
            and (owner is None or record.owner == owner)
            and (not states or record.state in states)
            and (after is None or record.position < after)
        ]
        chosen.sort(key=lambda record: record.position, reverse=True)
        return chosen[:limit]

    def count(
        self, *, task: str, since: float = -math.inf, before: float = math.inf, most: int
    ) -> Counter[State]:
        """Count a task's records by state."""
        found = self.list(task=task, after=(before, ""), limit=most)
        return Counter(record.state for record in found if record.created >= since)

    def delete(self, run_id: str) -> None:
        """Remove a record for good."""
        with self._lock:
            self._records[run_id] = None

    def purge(self, *, task: str, before: float) -> int:
        """Drop a task's records created before a moment."""
        with self._lock:
            old = [
                key
                for key, record in self._records.items()
                if record and record.task == task and record.created < before
            ]
            for key in old:
                del self._records[key]
        return len(old)

    def totals(self, task: str) -> Totals:
        """Return what became of a task's runs."""
        with self._lock:
            found = list(self._totals.get(task, {}).items())
        return add_up((tally, count, seconds) for tally, (count, seconds) in found)
