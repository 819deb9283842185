"""A thread that writes a run's progress and beats, looks for a stop, and watches the clock."""

from __future__ import annotations

import logging
import threading
import time
from typing import Self

from tasks.framework import signals
from tasks.framework.context import RunContext
from tasks.framework.protocol import Protocol
from tasks.framework.records import Ending
from tasks.framework.seat import Seat
from tasks.framework.states import State

log = logging.getLogger(__name__)

STOPPED = "stopped"
TIMEOUT = "timeout"
SILENT = "silent"


def timed_out(context: RunContext) -> Ending:
    """Say that a run took longer than its timeout."""
    limit = context.job.timeout or 0.0
    error = {"type": "RunTimeout", "message": f"not finished after {limit:g} s"}
    return Ending.of(State.FAILED, context.peek(), error=error)


class Heartbeat:
    """Runs beside a body. Only this thread writes the run's record.

    It interrupts the body, once, when the run was stopped or has ended (``STOPPED``), when its
    time is up (``TIMEOUT``), or when no beat could be written for so long that others must take
    this worker for dead (``SILENT``).
    """

    def __init__(self, context: RunContext, protocol: Protocol, seat: Seat) -> None:
        self._context, self._protocol, self._seat = context, protocol, seat
        self._over = threading.Event()
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._loop, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop for good. May be called twice: an interruption can cut the first call short."""
        self._over.set()
        if self._thread.is_alive():
            self._seat.ring()
            self._thread.join()

    def _loop(self) -> None:
        while not self._over.is_set():
            rung = self._seat.wait(max(0.0, self._next() - time.monotonic()))
            if self._over.is_set():
                return
            reason = self._check(rung=rung)
            if reason:
                self._stop_body(reason)
                return

    def _stop_body(self, reason: str) -> None:
        self._context.stop_reason = reason
        self._seat.interrupt()
        if self._over.wait(self._protocol.timing.kill_after):
            return
        if reason == TIMEOUT:  # it would have said so itself
            self._protocol.end(self._context.job.id, timed_out(self._context))
        self._seat.kill()

    def _next(self) -> float:
        timing = self._protocol.timing
        return self._last + (timing.report if self._context.dirty else timing.beat)

    def _check(self, *, rung: bool) -> str | None:
        limit = self._context.job.timeout
        if limit is not None and time.monotonic() - self._context.started >= limit:
            return TIMEOUT
        try:
            stopped = self._beat(rung=rung)
        except Exception:  # the store is out of reach; the body may outlive that
            log.exception("run %s: no beat could be written", self._context.job.id)
            silent = time.monotonic() - self._last >= self._protocol.timing.stale
            self._over.wait(0 if silent else self._protocol.timing.beat)
            return SILENT if silent else None
        return STOPPED if stopped else None

    def _beat(self, *, rung: bool) -> bool:
        run_id = self._context.job.id
        if time.monotonic() < self._next():
            return rung and self._protocol.look(run_id, self._context.peek())
        reported = self._context.dirty
        run = self._context.take(self._protocol.clock())
        stopped = self._protocol.beat(run_id, run)
        self._last = time.monotonic()
        if reported:
            signals.send(signals.progressed, run, run_id=run_id)
        return stopped
