"""Where bodies run: how their thread is woken, interrupted and told to stop."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager

from tasks.framework.errors import Interrupted


class Seat:
    """A place for one body at a time, in any thread; bodies in it stop at their checkpoints.

    Worker processes use a seat that interrupts its body by a signal instead.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name or uuid.uuid4().hex
        self.stopping = False
        self.redelivered = False  # what is handed back comes again without being sent
        self._rung = threading.Event()

    def ring(self) -> None:
        """Wake whoever waits in this seat, now or at its next wait."""
        self._rung.set()

    def wait(self, seconds: float) -> bool:
        """Wait to be rung, at most so long; say whether it was."""
        rung = self._rung.wait(seconds)
        self._rung.clear()
        return rung

    def interrupt(self) -> None:
        """Raise `Interrupted` in the body, if that can be done from outside."""

    def kill(self) -> None:
        """End the process in which a body does not stop, if the process is ours to end."""

    def armed(self) -> AbstractContextManager[object]:
        """Allow interruption while the context is open."""
        return contextlib.nullcontext()


class MainThreadSeat(Seat):
    """A seat in a process's main thread: signals interrupt its body, where it is armed."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self._main = threading.get_ident()
        self._armed = False

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        """Allow interruption; at once if the process is to stop already."""
        self._armed = True
        try:
            if self.stopping:
                raise Interrupted("stopping")
            yield
        finally:
            self._armed = False

    def break_off(self, reason: str) -> None:
        """Raise `Interrupted`, if a body may be interrupted now; for handlers of signals."""
        if self._armed:
            self._armed = False  # once: what cleans up behind it is not to be cut short
            raise Interrupted(reason)
