"""Telling a ComfyUI that will never end its prompt from one that is only silent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from comfy_runner.errors import Stalled

WORKING_SHARE = 0.02
"""Share of one core above which a process counts as working; our own questions take less."""

FAULT_SECONDS = 0.01
"""What a page read from the disk counts for: a model that is mapped in is read like that."""

CONFIRMATIONS = 2
"""How often in a row the thread that runs prompts has to be missing: it may just be ending."""


@dataclass(frozen=True)
class Patience:
    """How long nothing may happen, in seconds, while ComfyUI does not work either.

    `unanswered` is for a process that does not answer; `idle` for one that answers, tells of no
    event, and cannot be asked whether the thread that runs prompts is alive; `settle` for one
    that was told to let go of a prompt, whatever it does.
    """

    unanswered: float = 30.0
    idle: float = 300.0
    settle: float = 10.0


class Watchdog:
    """Watches one ComfyUI while it has a prompt of ours.

    A long node without events is normal: loading a model, waiting for a remote service. So a
    silence alone means nothing. What counts is that the thread that runs prompts is gone (a
    node called `sys.exit`), or that the whole process neither answers nor computes.
    """

    def __init__(
        self,
        pid: int,
        patience: Patience,
        *,
        clock: Callable[[], float] = time.monotonic,
        work_of: Callable[[int], float | None] | None = None,
    ) -> None:
        self._pid = pid
        self._patience = patience
        self._clock = clock
        self._work_of = work_of or work_of_session
        self._missing = 0
        self._answered_at = self._heard_at = self._worked_at = clock()
        self._worked = self._work_of(pid)

    def heard(self) -> None:
        """Note an event."""
        self._heard_at = self._answered_at = self._clock()
        self._missing = 0

    def answered(self, *, worker_alive: bool | None) -> None:
        """Note an answer, and whether the thread that runs prompts lives; None is unknown.

        Raises:
            Stalled: it does not.
        """
        now = self._answered_at = self._clock()
        self._missing = self._missing + 1 if worker_alive is False else 0
        if self._missing >= CONFIRMATIONS:
            raise Stalled("a node ended the thread of ComfyUI that runs workflows")
        if worker_alive is not None or now - self._heard_at < self._patience.idle:
            return
        if self._idle_for(now) >= self._patience.idle:
            raise Stalled(f"ComfyUI has done nothing for {self._patience.idle:g} s")

    def unanswered(self) -> None:
        """Note a question without an answer.

        Raises:
            Stalled: there has been none for long, and ComfyUI does not compute either.
        """
        now = self._clock()
        idle = self._idle_for(now)
        silent = now - self._answered_at
        if min(idle, silent) >= self._patience.unanswered:
            raise Stalled(f"ComfyUI neither answers nor computes, for {silent:.0f} s by now")

    def _idle_for(self, now: float) -> float:
        """Return for how many seconds ComfyUI has done next to nothing."""
        worked = self._work_of(self._pid)
        if worked is None or self._worked is None:  # cannot be known: it may be working
            return 0.0
        if worked - self._worked > WORKING_SHARE * (now - self._worked_at):
            self._worked, self._worked_at = worked, now
        return now - self._worked_at


def work_of_session(leader: int, proc: Path = Path("/proc")) -> float | None:
    """Return what a process and all of its session have done, in seconds; None if unreadable.

    That is processor time, and a little for each page that had to come from the disk: fields 6,
    12, 14 and 15 of proc_pid_stat(5).
    """
    found = [fields for fields in _stats(proc) if fields[3] == str(leader)]
    if not found:
        return None
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in found)
    faults = sum(int(fields[9]) for fields in found)
    return ticks / os.sysconf("SC_CLK_TCK") + faults * FAULT_SECONDS


def _stats(proc: Path) -> Iterator[list[str]]:
    """Yield the fields of every process from the third on, those before may hold blanks."""
    for process in proc.iterdir():
        if not process.name.isdecimal():
            continue
        try:
            told = Path(process, "stat").read_text(errors="replace")
        except OSError:
            continue  # it ended just now
        yield told.rpartition(")")[2].split()
