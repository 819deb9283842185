"""How long a queued job still has to wait: its place in the queue, and an honest estimate."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.framework import Protocol, State
from tasks.framework.queueing import ahead, in_hand
from tasks.framework.reading import Reading
from tasks.framework.records import Job as Request
from tasks.workflow import run_workflow

MOST_AHEAD = 10_000
"""How many jobs before one are counted at most, so that it costs the same in every queue."""

SAMPLE = 20
"""How many of the newest completed jobs an estimate goes by."""

FEWEST = 3
"""With fewer completed jobs than this there is no estimate: nobody can know."""

SAMPLE_SECONDS, BUSY_SECONDS = 10.0, 1.0
"""How long this process goes by the run times, and by what the workers do, that it has read."""


@dataclass(frozen=True)
class Outlook:
    """Its place in the queue, from 1, and the seconds until it starts; None where unknown."""

    position: int | None = None
    wait_seconds: int | None = None


@dataclass
class Pace:
    """How fast the jobs of one deployment run; read anew only now and then."""

    protocol: Protocol
    typical: float | None = None
    started: Sequence[float] = ()
    _read: dict[str, float] = field(default_factory=dict)

    def wait_seconds(self, before: int) -> float | None:
        """Estimate when a job with so many before it starts, if each takes the typical time."""
        if self._due("typical", SAMPLE_SECONDS):
            self.typical = self._typical()
        if self._due("started", BUSY_SECONDS):
            self.started = self._started()
        if self.typical is None or not self.started:
            return None
        now, typical = self.protocol.clock(), self.typical
        free = sorted(max(0.0, typical - (now - each)) for each in self.started)
        rounds, worker = divmod(before, len(free))
        return free[worker] + rounds * typical

    def _due(self, name: str, seconds: float) -> bool:
        now = self.protocol.clock()
        due = abs(now - self._read.get(name, -math.inf)) >= seconds  # clocks are put back, too
        if due:
            self._read[name] = now
        return due

    def _typical(self) -> float | None:
        """Return the median run time of the newest completed jobs."""
        finals = self.protocol.archive.list(
            task=run_workflow.name, states=[State.SUCCEEDED], limit=SAMPLE
        )
        times = [final.ended - final.started for final in finals if final.started]
        return statistics.median(times) if len(times) >= FEWEST else None

    def _started(self) -> list[float]:
        """Return when each of the workers that are busy began with its job."""
        now = self.protocol.clock()
        busy = in_hand(self.protocol, run_workflow.name)
        newest = (self.protocol.newest(run_id)[1] for run_id in busy)
        return [run.started if run and run.started else now for run in newest]


_paces: list[Pace] = []


def outlook(protocol: Protocol, reading: Reading) -> Outlook:
    """Return the outlook of a queued job."""
    if not isinstance(reading.record, Request) or reading.state is not State.QUEUED:
        return Outlook()
    before = ahead(protocol, reading.record, MOST_AHEAD)
    if before is None:
        return Outlook()
    seconds = _pace_of(protocol).wait_seconds(before)
    return Outlook(before + 1, None if seconds is None else math.ceil(seconds))


def _pace_of(protocol: Protocol) -> Pace:
    """Return what this process remembers of the deployment that it works on."""
    if not _paces or _paces[0].protocol is not protocol:
        _paces[:] = [Pace(protocol)]
    return _paces[0]
