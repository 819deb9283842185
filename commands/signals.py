"""Stop signals, collected instead of died of, so that starting and stopping run whole."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

NUMBERS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class StopSignals:
    """During the block, SIGINT, SIGTERM and SIGHUP wait here. For the main thread only."""

    def __init__(self) -> None:
        # Unlike threading.Event, a SimpleQueue may be fed by a handler that interrupts its reader.
        self._came: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in NUMBERS:
            # A signal that the starter of this process turned off (nohup) stays off.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._collect)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what getsignal gave us

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds for a signal; True if one comes or has come before."""
        try:
            self._came.get(timeout=timeout)
        except queue.Empty:
            return False
        return True

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Let a signal raise KeyboardInterrupt during the block, also one that has come before."""
        try:
            for number in self._previous:
                signal.signal(number, _interrupt)
            if not self._came.empty():
                raise KeyboardInterrupt
            yield
        finally:
            for number in self._previous:
                signal.signal(number, self._collect)

    def _collect(self, number: int, _: FrameType | None) -> None:
        self._came.put(number)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
