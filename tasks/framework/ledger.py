"""The records of runs, read as typed values: what the protocol and its readers build on."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.framework.archives import Archive
from tasks.framework.records import Call, Final, Job, Run
from tasks.framework.stores import Store


@dataclass(frozen=True)
class Ledger:
    """The store, with what is alive, and the archive, with what has ended."""

    store: Store
    archive: Archive

    def job(self, run_id: str) -> Job | None:
        """Read ``job:{id}``, which may be void."""
        value = self.store.get(f"job:{run_id}")
        return Job.from_json(value) if value else None

    def final(self, run_id: str) -> Final | None:
        """Read ``final:{id}``."""
        value = self.store.get(f"final:{run_id}")
        return Final.from_json(value) if value else None

    def call(self, run_id: str) -> Call | None:
        """Read ``call:{id}``."""
        value = self.store.get(f"call:{run_id}")
        return Call.from_json(value) if value else None

    def newest(self, run_id: str) -> tuple[int, Run | None]:
        """Read the newest attempt; they are numbered from 1 without a gap."""
        n, newest = 0, None
        while value := self.store.get(f"run:{run_id}:{n + 1}"):
            n, newest = n + 1, Run.from_json(value)
        return n, newest
