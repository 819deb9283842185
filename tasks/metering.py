"""What a job spends its time on and what that costs: noted where it runs, read out of its record.

What is noted lies in what the run keeps, so that it goes with the writes that are made anyway.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Self

from comfy_runner.awakening import RESTORE, WAKE, WARM_UP
from comfy_runner.stopwatch import INPUTS, MODEL_LOAD, UPLOAD
from comfy_runner.worker import ComfyWorker
from tasks.framework import current
from tasks.framework.reading import Reading
from tasks.framework.totals import PARTS

SPELL = "spell"
"""Under which name the run keeps on what it is computed, at which price, and for how long."""

STARTING = (RESTORE, WAKE, WARM_UP)
"""What a worker does before its first job, which that job is charged with."""

WORKING = (INPUTS, MODEL_LOAD, UPLOAD)
"""What is timed of the attempts themselves."""


@contextmanager
def metered(comfy: ComfyWorker, clock: Callable[[], float] = time.time) -> Iterator[None]:
    """Keep in the record of the run at hand what this attempt of it takes, however it ends.

    A cancelled run has its end written while it still works: of that attempt only the beginning
    is known then, and the rest counts up to that end.
    """
    began = clock()
    times = dict(current.kept.get(PARTS, {}))
    # the waiting of a later attempt lies behind the start of the first
    charged = comfy.awakening.charge(current.created or began, began)
    times = _sum(times, charged) if current.attempt == 1 else times
    spell = _begun(current.kept.get(SPELL), comfy, began)
    comfy.stopwatch.reset()
    current.keep(**{PARTS: times, SPELL: spell})
    try:
        yield
    finally:
        times = _sum(times, comfy.stopwatch.seconds)
        current.keep(**{PARTS: times, SPELL: spell | {"until": clock()}})


def _sum(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {**one, **other}}


def _begun(before: Mapping[str, Any] | None, comfy: ComfyWorker, began: float) -> dict[str, Any]:
    """Return the spell of an attempt; how long one worked that was lost is not known."""
    spent = 0.0
    if before:
        until = before["began"] if before["until"] is None else before["until"]
        spent = before["spent"] + max(0.0, until - before["began"])
    billing = comfy.billing
    return {
        "gpu": billing.gpu if billing else None,
        "usd_per_second": billing.usd_per_second if billing else None,
        "spent": spent,
        "began": began,
        "until": None,
    }


@dataclass(frozen=True)
class Timings:
    """Where the time of a job went, in seconds; what is not known, or not yet, is None.

    Of an ended job they add up to the time from its submission to its end. `run` and `waiting`
    are what the others leave of it, after and before the job was started.
    """

    waiting: float | None = None
    restore: float | None = None
    wake: float | None = None
    warm_up: float | None = None
    inputs: float | None = None
    model_load: float | None = None
    run: float | None = None
    upload: float | None = None

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Read them out of a run."""
        told: Mapping[str, float] = reading.kept.get(PARTS, {})
        known = {each.name: told[each.name] for each in fields(cls) if each.name in told}
        started, ended = reading.started, reading.ended
        if (until := started or ended) is not None:
            known["waiting"] = _rest(until - reading.created, told, STARTING)
        if started and ended is not None:
            known["run"] = _rest(ended - started, told, WORKING)
        return cls(**known)

    def to_json(self) -> dict[str, float | None]:
        """Return them by name, to the millisecond."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: None if value is None else round(value, 3) for name, value in found.items()}


@dataclass(frozen=True)
class Use:
    """For how many seconds a job had a worker, with what it waited for that worker's start.

    `gpu` is what the worker computed on, `usd` what that cost; each is None if nobody has said.
    """

    gpu: str | None
    seconds: float
    usd: float | None

    @classmethod
    def of(cls, reading: Reading) -> Self | None:
        """Read it out of a run; None as long as it has not ended, and if it never started."""
        spell = reading.kept.get(SPELL)
        if not spell or reading.ended is None:
            return None
        until = reading.ended if spell["until"] is None else spell["until"]
        times: Mapping[str, float] = reading.kept.get(PARTS, {})
        seconds = spell["spent"] + max(0.0, until - spell["began"])
        seconds += sum(times.get(name, 0.0) for name in STARTING)
        price = spell["usd_per_second"]
        return cls(spell["gpu"], seconds, None if price is None else seconds * price)

    def to_json(self) -> dict[str, Any]:
        """Return it as a job's `cost`: milliseconds and millionths of a dollar are enough."""
        usd = None if self.usd is None else round(self.usd, 6)
        return {"gpu": self.gpu, "gpu_seconds": round(self.seconds, 3), "usd": usd}


def _rest(seconds: float, told: Mapping[str, float], names: tuple[str, ...]) -> float:
    """Return what the named ones leave; the clocks of two machines may differ."""
    return max(0.0, seconds - sum(told.get(name, 0.0) for name in names))
