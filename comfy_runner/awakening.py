"""When a worker became able to work, and how much of that a job has waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

BOOT, RESTORE, WAKE, WARM_UP = "boot", "restore", "wake", "warm_up"
"""Starting ComfyUI; what lies between that and the next in a container that makes or takes up a
memory snapshot; making ComfyUI able to work; the workflow that is run once before the first."""

NOTHING = 0.0


@dataclass(frozen=True)
class Span:
    """From a moment to a later one, in seconds since 1970."""

    began: float
    ended: float

    def shared(self, other: Span) -> float:
        """Return how many seconds lie in both."""
        return max(NOTHING, min(self.ended, other.ended) - max(self.began, other.began))

    def common(self, other: Span) -> Span:
        """Return what lies in both, which is an empty span if nothing does."""
        began = max(self.began, other.began)
        return Span(began, max(began, min(self.ended, other.ended)))


class Awakening:
    """The newest start of one worker: its parts by name, each with its span.

    By the wall clock, because it has to be compared with when a job was submitted, and because a
    boot may lie in a memory snapshot that is days old.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._spans: dict[str, Span] = {}
        self._charged = True

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Note the time of the block, however it ends, as that part of the start."""
        began = self._clock()
        try:
            yield
        finally:
            self._spans[name] = Span(began, self._clock())
            self._charged = False

    @property
    def seconds(self) -> Mapping[str, float]:
        """How long each part of the newest start took."""
        return {name: span.ended - span.began for name, span in self._spans.items()}

    def charge(self, submitted: float, started: float) -> Mapping[str, float]:
        """Return the seconds between the two moments (since 1970) that went into the start.

        Only the first job after a start is charged, and only for what it waited for: a worker
        that was awake before costs it nothing. ``restore`` is left out where it is unknown: a
        container cannot tell when the taking up of its snapshot began.
        """
        waited = Span(submitted, started)
        none = Span(NOTHING, NOTHING)
        known = {} if self._charged else self._spans
        self._charged = True
        boot, wake, warm_up = (known.get(name, none) for name in (BOOT, WAKE, WARM_UP))
        # a boot inside of the wake is part of it: ComfyUI had to be started anew
        awake = wake.shared(waited) + boot.shared(waited) - boot.common(wake).shared(waited)
        told = {WAKE: awake, WARM_UP: warm_up.shared(waited)}
        if boot.shared(waited) or not wake.shared(waited):
            told[RESTORE] = self._between(boot, wake).shared(waited)
        return told

    @staticmethod
    def _between(boot: Span, wake: Span) -> Span:
        return Span(boot.ended, max(boot.ended, wake.began))
