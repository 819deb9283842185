"""The seat of a Modal container's main thread, and the delivery of one message in it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from types import FrameType

from tasks.framework.backends import Json
from tasks.framework.execute import execute
from tasks.framework.seat import MainThreadSeat, Seat

log = logging.getLogger(__name__)

CANCELLED = signal.SIGUSR1
"""With it Modal raises ``InputCancellation`` in the main thread: somebody cancelled the call."""

LEAVING = signal.SIGINT
"""With it Modal raises ``KeyboardInterrupt``: the machine is taken away within 30 seconds.

Modal then delivers the same call again, in another container
(https://modal.com/docs/guide/preemption).
"""

OURS = signal.SIGUSR2
"""With it the pacemaker's thread interrupts the body; Modal does not use it."""


class ModalSeat(MainThreadSeat):
    """Interrupts a body by signals: its own, and the two with which Modal raises exceptions.

    Those could be raised between any two lines, so during a delivery they are only heard where
    a body may be interrupted. Afterwards they are raised again, for Modal to see.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self._heard: set[int] = set()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over for one delivery, under a new name; must be the main thread.

        A name that was made before a memory snapshot would be that of many containers.
        """
        self.name, self.stopping, self.redelivered = uuid.uuid4().hex, False, False
        self._main = threading.get_ident()
        self._heard.clear()
        with contextlib.ExitStack() as stack:
            stack.callback(self._pass_on)
            for number in (OURS, CANCELLED, LEAVING):
                before = signal.signal(number, self._on_signal)
                stack.callback(signal.signal, number, before)
            yield

    def interrupt(self) -> None:
        """Raise `Interrupted` in the main thread, if a body is in it."""
        signal.pthread_kill(self._main, OURS)

    def kill(self) -> None:
        """End this container, with a body in it that does not stop."""
        log.critical("container %s ends itself: its run was told to stop and did not", self.name)
        os._exit(70)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number != OURS:
            self._heard.add(number)
            self.stopping = True
            self.redelivered = self.redelivered or number == LEAVING
        self.break_off(signal.Signals(number).name)

    def _pass_on(self) -> None:
        """Raise what was heard, through the handlers that are in place again."""
        for number in (LEAVING, CANCELLED):
            if number in self._heard and callable(signal.getsignal(number)):
                signal.raise_signal(number)


def deliver(message: Json, seat: ModalSeat) -> None:
    """Carry out one delivery; what became of it is on record.

    In a thread that is not the main one no signal is heard: bodies stop at their checkpoints.

    Raises:
        RuntimeError: the records could not be read or written. Its text says why: an exception
            of ours could not be read everywhere, and a ``TimeoutError`` reads as a pending call.
        BaseException: what Modal raises to cancel the call or to leave the machine.
    """
    if threading.current_thread() is not threading.main_thread():
        _carry_out(message, Seat())
        return
    with seat.listening():
        _carry_out(message, seat)


def _carry_out(message: Json, seat: Seat) -> None:
    try:
        execute(message, seat)
    except Exception as error:
        run_id = message["id"]
        log.exception("run %s: its delivery broke off", run_id, extra={"job_id": run_id})
        raise RuntimeError(f"{type(error).__name__}: {error}") from None
