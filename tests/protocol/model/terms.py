"""Words that the whole model uses: its clocks, its generators, and which rules are in force."""

from __future__ import annotations

from collections.abc import Collection, Generator
from typing import Any

START = 100  # the clock's first reading: 0 is left to stand for "silent"
STALE = GRACE = 5  # an older heartbeat is dead; an older reservation is abandoned
JUMP = 10  # one jump of the clock is longer than both
DELAY = 2 * JUMP  # a retry is parked for longer than a jump
LOSSES = 1  # attempts that may fall silent; one more and the run is lost
BEATS = 1  # checkpoints in a body

Op = tuple[Any, ...]
Steps = Generator[Op, Any, Any]
"""An actor: it yields at every operation of the store, the archive or the backend."""

Record = dict[str, Any]


class M:
    """What an actor may ask of its surroundings: the store's flavour, and the rules in force."""

    def __init__(self, flavour: str = "sqlite", drop: Collection[str] = ()) -> None:
        self.flavour, self.drop = flavour, frozenset(drop)

    def has(self, rule: str) -> bool:
        return rule not in self.drop
