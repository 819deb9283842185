"""Starts worker processes, replaces the ones that die, and stops them all."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Self

log = logging.getLogger(__name__)

STEADY_SECONDS = 10.0
"""A process that lived this long is replaced at once; one that did not, after a pause."""

FIRST_PAUSE, LAST_PAUSE = 0.5, 30.0
"""Seconds between two starts of a process that keeps dying: twice as long each time."""

STOP_SECONDS = 20.0
"""How long a process may take to hand back its run and stop, before it is killed."""

Command = Callable[[str, str], list[str]]
"""The command line of a worker process, from its pool and its name."""


class Supervisor:
    """Keeps a number of worker processes per pool running, from `start` to `close`."""

    def __init__(
        self, pools: Mapping[str, int], command: Command, on_death: Callable[[str], object]
    ) -> None:
        self._command, self._on_death = command, on_death
        self._stopping = threading.Event()
        self._keepers = [
            _Keeper(f"{pool}-{number}", pool, self)
            for pool, count in pools.items()
            for number in range(1, count + 1)
        ]

    def __enter__(self) -> Self:
        for keeper in self._keepers:
            keeper.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for keeper in self._keepers:
            keeper.terminate()
        until = time.monotonic() + STOP_SECONDS
        for keeper in self._keepers:
            keeper.thread.join(max(0.0, until - time.monotonic()))
            keeper.kill()
            keeper.thread.join()

    def names(self) -> list[str | None]:
        """Return the current name of every process; None for one that is not running."""
        return [keeper.name for keeper in self._keepers]

    def process_ids(self) -> dict[str, int]:
        """Return the process id of every running worker by its name."""
        found = ((keeper.name, keeper.process_id) for keeper in self._keepers)
        return {name: pid for name, pid in found if name and pid}


class _Keeper:
    """The thread that keeps one process running."""

    def __init__(self, place: str, pool: str, supervisor: Supervisor) -> None:
        self._place, self._pool, self._supervisor = place, pool, supervisor
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.name: str | None = None
        self.thread = threading.Thread(target=self._keep, name=f"keeper-{place}", daemon=True)

    @property
    def process_id(self) -> int | None:
        process = self._process
        return process.pid if process else None

    def terminate(self) -> None:
        """Ask the process to stop; no other one is started from here on."""
        with self._lock:
            if self._process:
                self._process.terminate()

    def kill(self) -> None:
        """End the process if it has not stopped."""
        with self._lock:
            if self._process and self._process.poll() is None:
                log.warning("worker %s did not stop in time and is killed", self.name)
                self._process.kill()

    def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            process = self._start()
            if process is None:
                return
            code = process.wait()
            if process.stdin:
                process.stdin.close()
            name, self.name, self._process = self.name or "", None, None
            self._supervisor._on_death(name)
            if self._supervisor._stopping.is_set():
                return
            steady = time.monotonic() - began >= STEADY_SECONDS
            pause = FIRST_PAUSE if steady else min(pause * 2, LAST_PAUSE)
            log.warning("worker %s ended with %s; another starts in %.1f s", name, code, pause)
            self._supervisor._stopping.wait(pause)

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._supervisor._stopping.is_set():
                return None
            name = f"{self._place}-{uuid.uuid4().hex[:8]}"
            self._process = subprocess.Popen(
                self._supervisor._command(self._pool, name),
                stdin=subprocess.PIPE,  # ends with this process: that is how a worker notices
                start_new_session=True,  # a Ctrl-C in the terminal is the supervisor's to handle
            )
            self.name = name
            return self._process
