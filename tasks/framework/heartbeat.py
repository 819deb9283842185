"""What is done beside a body: write its progress, beat, look for a stop, watch the clock."""

from __future__ import annotations

import logging
import threading
import time

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

IDLE_SECONDS = 1.0
"""How often a pacemaker looks whether a body has begun; one that reports is noticed at once."""


def timed_out(context: RunContext) -> Ending:
    """Say that a run took longer than its timeout."""
    limit = context.job.timeout or 0.0
    error = {"type": "RunTimeout", "message": f"not finished after {limit:g} s"}
    return Ending.of(State.FAILED, context.peek(), error=error)


class Heartbeat:
    """What one body needs to have done. Nobody else writes the run's record meanwhile."""

    def __init__(self, context: RunContext, protocol: Protocol, seat: Seat) -> None:
        self._context, self._protocol, self._seat = context, protocol, seat
        self._written = self._tried = time.monotonic()
        self.over = threading.Event()

    def pause(self) -> float:
        """Return how many seconds may pass until the next `check`."""
        timing = self._protocol.timing
        due = self._tried + (timing.report if self._context.dirty else timing.beat)
        return max(0.0, due - time.monotonic())

    def check(self, *, rung: bool) -> str | None:
        """Beat if it is time to, look; return why the body has to stop, or None.

        It has to when the run was stopped or has ended (``STOPPED``), when its time is up
        (``TIMEOUT``), or when no beat could be written for so long that others must take this
        worker for dead (``SILENT``).
        """
        if self._context.stop_reason or self.over.is_set():
            return None  # told already, or there is nobody left to tell
        limit = self._context.job.timeout
        if limit is not None and time.monotonic() - self._context.started >= limit:
            return TIMEOUT
        try:
            return STOPPED if self._beat(rung=rung) else None
        except Exception:  # the store is out of reach; the body may outlive that
            run_id = self._context.job.id
            log.exception("run %s: no beat could be written", run_id, extra={"job_id": run_id})
            self._tried = time.monotonic()
            silent = self._tried - self._written >= self._protocol.timing.stale
            return SILENT if silent else None

    def stop_body(self, reason: str) -> None:
        """Interrupt the body, which must be this heartbeat's own still."""
        self._context.stop_reason = reason
        self._seat.interrupt()

    def see_it_stop(self) -> None:
        """When the interruption does not end the body, end the run and the process."""
        if self.over.wait(self._protocol.timing.kill_after):
            return
        if self._context.stop_reason == TIMEOUT:  # it would have said so itself
            self._protocol.end(self._context.job.id, timed_out(self._context))
        self._seat.kill()

    def _beat(self, *, rung: bool) -> bool:
        run_id = self._context.job.id
        if self.pause() > 0:
            return rung and self._protocol.look(run_id, self._context.peek())
        reported = self._context.dirty
        run = self._context.take(self._protocol.clock())
        stopped = self._protocol.beat(run_id, run)
        self._written = self._tried = time.monotonic()
        if reported:
            signals.send(signals.progressed, run, run_id=run_id)
        return stopped


class Pacemaker:
    """The thread that keeps a seat's heartbeats, one body after another."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._beating = threading.Lock()  # held while a heartbeat may write
        self._heartbeat: Heartbeat | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def begin(self, heartbeat: Heartbeat) -> None:
        """Keep this heartbeat from now on."""
        self._heartbeat = heartbeat
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="pacemaker", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Let the heartbeat rest; when this returns, it writes nothing any more.

        May be called twice: an interruption can cut the first call short.
        """
        if self._heartbeat:
            self._heartbeat.over.set()
        with self._beating:
            self._heartbeat = None

    def close(self) -> None:
        """Rest for good."""
        self.end()
        self._closed = True
        if self._thread:
            self._seat.ring()
            self._thread.join()

    def _loop(self) -> None:
        while not self._closed:
            current = self._heartbeat
            rung = self._seat.wait(current.pause() if current else IDLE_SECONDS)
            with self._beating:
                current = self._heartbeat
                reason = current.check(rung=rung) if current else None
                if current and reason:  # while it is held, no other body can begin
                    current.stop_body(reason)
            if current and reason:
                current.see_it_stop()
