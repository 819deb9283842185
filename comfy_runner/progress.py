"""Progress of one prompt: events in, one complete snapshot out, never going back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Snapshot:
    """Where a run stands: `progress` in percent, 100 only once the prompt succeeded.

    `current_step` of `total_steps` is the current node's own bar, when it has one.
    """

    progress: int = 0
    current_node: str | None = None
    current_step: int | None = None
    total_steps: int | None = None
    nodes_done: int = 0
    nodes_total: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the snapshot as a JSON object."""
        return asdict(self)
