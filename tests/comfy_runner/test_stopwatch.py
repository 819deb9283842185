"""Seconds by name: added up, also when what they are taken of fails, and forgotten together."""

from __future__ import annotations

import contextlib
from itertools import count

from comfy_runner.stopwatch import Stopwatch


def test_seconds_of_one_name_add_up_and_those_of_a_block_that_fails_count() -> None:
    ticks = count()
    stopwatch = Stopwatch(lambda: float(next(ticks)))
    with stopwatch.measure("a"):
        pass
    with contextlib.suppress(ValueError), stopwatch.measure("a"):
        raise ValueError
    stopwatch.add("b", 0.5)
    assert stopwatch.seconds == {"a": 2.0, "b": 0.5}
    stopwatch.reset()
    assert stopwatch.seconds == {}
