"""The Archive port: where the records of finished runs live."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Protocol

from tasks.framework.records import Final
from tasks.framework.states import State
from tasks.framework.totals import Totals

Position = tuple[float, str]
"""Where a record stands in a listing: its creation (seconds since 1970) and its id."""


class Archive(Protocol):
    """Final records, ordered by creation, never scanned whole."""

    def put(self, record: Final) -> None:
        """Keep a record. The first one for an id stays; a deleted one does not come back."""

    def get(self, run_id: str) -> Final | None:
        """Return the record, or None."""

    def list(
        self,
        *,
        task: str,
        owner: str | None = None,
        states: Collection[State] = (),
        after: Position | None = None,
        limit: int = 50,
    ) -> list[Final]:
        """Return records newest first, beginning behind ``after``. No states means all."""

    def count(
        self, *, task: str, since: float = -math.inf, before: float = math.inf, most: int
    ) -> Mapping[State, int]:
        """Count a task's records created from ``since`` until ``before``, by state.

        The newest ``most`` at most. Cheaper than reading them.
        """

    def delete(self, run_id: str) -> None:
        """Remove a record for good: a late `put` of the same id is ignored."""

    def purge(self, *, task: str, before: float) -> int:
        """Drop a task's records created before a moment (seconds since 1970), for good.

        Only for moments so long ago that no `put` of such an id can come any more.
        """

    def totals(self, task: str) -> Totals:
        """Return what became of a task's runs. Each is counted once, by the `put` that kept it.

        Cheap, however many there were.
        """
