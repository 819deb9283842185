"""The seconds that one workflow took, by what they went into."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

INPUTS, MODEL_LOAD, UPLOAD = "inputs", "model_load", "upload"
"""Placing the input files; reading models and moving them to where they compute; waiting, after
the last node, for outputs that are on their way."""


class Stopwatch:
    """Adds up seconds by name; a name that was never timed is unknown, which is not nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> Mapping[str, float]:
        """What was timed by now."""
        return dict(self._seconds)

    def reset(self) -> None:
        """Forget everything."""
        self._seconds.clear()

    def add(self, name: str, seconds: float) -> None:
        """Add to a name."""
        self._seconds[name] = self._seconds.get(name, 0.0) + seconds

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of the block, however it ends."""
        began = self._clock()
        try:
            yield
        finally:
            self.add(name, self._clock() - began)
