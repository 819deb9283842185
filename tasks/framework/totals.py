"""What became of a task's runs, counted once for each as it is archived, and kept for good."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tasks.framework.records import Final
from tasks.framework.states import State

BOUNDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, math.inf)
"""The classes by which times are counted: each is the longest time in it, in seconds."""

WAIT, RUN = "wait", "run"
"""The times of a run: until its first attempt began, or until it ended without one; and from
there to its end, with the pauses between its attempts."""

PARTS, PART = "times", "part."
"""Under which name a body keeps seconds of its own by name, as ``current.keep(times={...})``, to
have them counted too; and what they are told apart by where all are counted."""


@dataclass(frozen=True)
class Times:
    """How many times fell into each class of `BOUNDS`, and how many seconds they are together."""

    counts: tuple[int, ...] = (0,) * len(BOUNDS)
    seconds: float = 0.0

    def plus(self, longest: float, count: int, seconds: float) -> Times:
        """Return them with so many more in the class of that bound, or the next if there is none.

        A later version may have other bounds than the one that counted.
        """
        place = bisect_left(BOUNDS, longest)
        counts = list(self.counts)
        counts[place] += count
        return Times(tuple(counts), self.seconds + seconds)


@dataclass(frozen=True)
class Totals:
    """The times of all runs that were ever archived, by how they ended.

    They never fall: a record that is deleted or purged stays counted.
    """

    waits: Mapping[State, Times] = field(default_factory=dict)
    runs: Mapping[State, Times] = field(default_factory=dict)
    parts: Mapping[str, Mapping[State, Times]] = field(default_factory=dict)
    """The times that bodies have kept, by their names."""


Tally = tuple[str, str, float]
"""What is counted together: the state, which time it is, and the bound of its class."""


def tallies(final: Final) -> dict[Tally, float]:
    """Return the times of a run in seconds, each under what it is counted with."""
    began = final.started if final.started else final.ended
    times = {WAIT: began - final.created}
    if final.started:
        times[RUN] = final.ended - final.started
    times |= _parts(final.kept.get(PARTS))
    # the clocks of two machines may differ
    told = {name: max(0.0, seconds) for name, seconds in times.items()}
    return {(final.state.value, name, bound(seconds)): seconds for name, seconds in told.items()}


def _parts(kept: object) -> dict[str, float]:
    """Return what a body kept as its times; what is none, under that name, is no error here."""
    told = kept.items() if isinstance(kept, dict) else ()
    return {f"{PART}{name}": float(each) for name, each in told if isinstance(each, int | float)}


def bound(seconds: float) -> float:
    """Return the bound of the class that a time is in."""
    return BOUNDS[bisect_left(BOUNDS, seconds)]


def add_up(rows: Iterable[tuple[Tally, int, float]]) -> Totals:
    """Put totals together from tallies with their counts and seconds."""
    found: dict[str, dict[State, Times]] = {WAIT: {}, RUN: {}}
    for (state, name, longest), count, seconds in rows:
        of_name = found.setdefault(name, {})
        key = State(state)
        of_name[key] = of_name.get(key, Times()).plus(longest, count, seconds)
    parts = {name.removeprefix(PART): times for name, times in found.items() if PART in name}
    return Totals(waits=found[WAIT], runs=found[RUN], parts=parts)
