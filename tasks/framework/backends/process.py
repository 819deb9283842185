"""A worker process of the local backend: claims messages of one pool, one at a time."""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import time
from types import FrameType

from tasks.framework.backends.doorbell import Doorbell
from tasks.framework.backends.local import LocalBackend
from tasks.framework.errors import Interrupted
from tasks.framework.execute import execute
from tasks.framework.heartbeat import Pacemaker
from tasks.framework.runtime import runtime
from tasks.framework.seat import MainThreadSeat
from tasks.framework.worker import Worker

log = logging.getLogger(__name__)

IDLE_SECONDS = 5.0
"""How often an idle worker looks without having been woken: a net, not the mechanism."""


class WorkerProcess(MainThreadSeat):
    """The seat of a process's main thread, where a body is interrupted by a signal.

    SIGTERM and SIGINT stop the process: the run in progress is handed back. SIGUSR1 is its own:
    the pacemaker's thread uses it to raise `Interrupted` in the main thread. A supervised process
    also stops when its standard input ends: a pipe that its `Supervisor` holds open.
    """

    def __init__(self, backend: LocalBackend, *, pool: str, name: str, supervised: bool) -> None:
        super().__init__(name)
        self._backend, self._pool = backend, pool
        self._supervised = supervised
        self._bell = Doorbell(backend.bells, name)
        self._nudged = Doorbell(backend.nudges, name)

    def run(self, kind: type[Worker] | None) -> None:
        """Start the worker, then carry out messages until told to stop.

        Whatever a delivery raises ends the process: what it had claimed is then found and
        delivered again.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_interrupt)
        try:
            with self.armed():
                if kind:
                    runtime().worker(kind)
            self._backend.mark_ready(self.name, self._pool)
            self._serve()
        except Interrupted:
            log.info("worker %s was stopped while it started", self.name)
        finally:
            runtime().close()
            self._backend.unmark_ready(self.name)
            self._nudged.close()
            self._bell.close()

    def _serve(self) -> None:
        pacemaker = Pacemaker(self)
        while not self.stopping:
            delivery = self._backend.claim(self._pool, self.name)
            if delivery is None:
                self._bell.wait(self._until_due())
                self._watch_parent()
                continue
            execute(delivery.message, self, pacemaker)
            self._backend.done(delivery)
        pacemaker.close()

    def _until_due(self) -> float:
        due = self._backend.next_due(self._pool)
        return IDLE_SECONDS if due is None else min(max(0.0, due - time.time()), IDLE_SECONDS)

    # -- the seat --------------------------------------------------------------------------

    def ring(self) -> None:
        """Wake whoever waits in this seat."""
        self._nudged.ring()

    def wait(self, seconds: float) -> bool:
        """Wait to be rung, by this process or another; see that the parent process lives."""
        rung = self._nudged.wait(seconds)
        self._watch_parent()
        return rung

    def _watch_parent(self) -> None:
        if self._supervised and not self.stopping and _is_at_end(sys.stdin.fileno()):
            log.error("worker %s stops: the process that started it is gone", self.name)
            signal.pthread_kill(self._main, signal.SIGTERM)

    def interrupt(self) -> None:
        """Raise `Interrupted` in the main thread, if a body is in it."""
        signal.pthread_kill(self._main, signal.SIGUSR1)

    def kill(self) -> None:
        """End this process, with a body in it that does not stop; another one takes its place."""
        log.critical("worker %s ends itself: its run was told to stop and did not", self.name)
        os._exit(70)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stopping = True
        self._bell.ring()
        self._nudged.ring()
        self.break_off("stopping")

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.break_off("interrupted")


def _is_at_end(pipe: int) -> bool:
    """Whether nobody holds the other end of a pipe to which nothing is ever written."""
    readable, _, _ = select.select([pipe], [], [], 0)
    return bool(readable)


def recover(backend: LocalBackend, worker: str | None = None) -> int:
    """Deliver again what dead workers had claimed; return how many runs that were.

    A dead process cannot beat any more, so whoever has seen it dead says so in its place, and
    the next attempt need not wait for its last beat to become stale. ``worker`` names one;
    without it, all are looked at.
    """
    protocol = runtime().protocol
    if worker is not None:
        backend.unmark_ready(worker)
    abandoned = [item for item in backend.abandoned() if worker in {None, item[1]}]
    for run_id, name in abandoned:
        _, run = protocol.newest(run_id)
        if run and run.worker == name and not run.never:
            protocol.silence(run_id, run)
        log.warning(
            "run %s lost its worker %s; it is delivered again",
            run_id,
            name,
            extra={"job_id": run_id},
        )
        backend.redeliver(name)
    return len(abandoned)
