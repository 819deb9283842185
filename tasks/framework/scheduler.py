"""Sends periodic tasks when they are due: each occurrence once, however many schedulers run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Any, Self

from tasks.framework.schedule import Period
from tasks.framework.task import Task

log = logging.getLogger(__name__)


class Scheduler:
    """A thread that sends what is due; `Every` and `Cron` say what becomes of a missed one.

    The run's id is made of the task and the occurrence, so a second scheduler, or a second look,
    sends nothing new.
    """

    def __init__(
        self, periodic: Iterable[tuple[Task[..., Any], Period]], clock: Callable[[], float]
    ) -> None:
        self._periodic = list(periodic)
        self._clock = clock
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def look(self) -> float:
        """Send what is due now; return when to look again."""
        now = self._clock()
        for task, period in self._periodic:
            occurrence = period.occurrence(now)
            if occurrence is not None:
                self._send(task, occurrence, period.next(now) - now)
        return min((period.next(now) for _, period in self._periodic), default=now + 60)

    def _send(self, task: Task[..., Any], occurrence: str, expires: float) -> None:
        try:
            task.apply_async(task_id=run_id_of(task, occurrence), expires=max(expires, 1.0))
        except Exception:  # one occurrence is lost; the next one must not be
            log.exception("%s could not be sent for %s", task.name, occurrence)

    def _loop(self) -> None:
        while not self._over.is_set():
            again = self.look()
            self._over.wait(max(0.05, again - self._clock()))


def run_id_of(task: Task[..., Any], occurrence: str) -> str:
    """Return the id of the run that is an occurrence of a periodic task."""
    return f"{task.name}@{occurrence}"
