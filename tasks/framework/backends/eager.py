"""Runs every call at once, in the caller's thread, through the same JSON and the same code."""

from __future__ import annotations

import itertools
import json

from tasks.framework.backends import Json
from tasks.framework.execute import execute


class EagerBackend:
    """For tests and scripts: ``delay`` returns when the run has ended."""

    def __init__(self) -> None:
        self._calls = itertools.count(1)

    def submit(self, message: Json, pool: str) -> str:
        """Carry it out now. ``pool`` makes no difference here."""
        del pool
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
