"""Runs every call at once, in the caller's thread, through the same JSON and the same code."""

from __future__ import annotations

import itertools
import json
import time

from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.backends import Json
from tasks.framework.execute import execute
from tasks.framework.protocol import Protocol
from tasks.framework.runtime import Runtime
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.task import pool_of


class EagerBackend:
    """For tests and scripts: ``delay`` returns when the run has ended.

    Nothing is waited for: a call that is due later moves this backend's own `clock` forward.
    """

    def __init__(self) -> None:
        self._calls = itertools.count(1)
        self._ahead = 0.0

    def clock(self) -> float:
        """Return the time, in seconds since 1970, with all the waiting that was skipped."""
        return time.time() + self._ahead

    def submit(self, message: Json, pool: str, due: float) -> str:
        """Carry it out now. ``pool`` makes no difference here."""
        del pool
        self._ahead += max(0.0, due - self.clock())
        execute(json.loads(json.dumps(dict(message))))
        return f"eager-{next(self._calls)}"

    def cancel(self, call_id: str) -> None:
        """Nothing waits, so there is nothing to cancel."""

    def alive(self, call_id: str) -> bool:
        """No call outlives its submission."""
        del call_id
        return False

    def nudge(self) -> None:
        """Bodies here hear of a stop at their next beat."""


def eager_runtime() -> Runtime:
    """Return a runtime in which everything is sent, run and kept in this very process."""
    backend = EagerBackend()
    return Runtime(Protocol(MemoryStore(), MemoryArchive(), backend, backend.clock, pool_of))
