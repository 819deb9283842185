"""Sends periodic tasks when they are due: each occurrence once, however many schedulers run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, Self

from tasks.framework.schedule import Crontab, minute_of, next_minute
from tasks.framework.task import Task

log = logging.getLogger(__name__)


class Period(Protocol):
    """When something is due."""

    def occurrence(self, now: float) -> str | None:
        """Name the occurrence that ``now`` lies in, or None; everybody gives it the same name."""

    def next(self, now: float) -> float:
        """Return when to look again, in seconds since 1970."""


@dataclass(frozen=True)
class Every:
    """Every so many seconds."""

    seconds: float

    def occurrence(self, now: float) -> str:
        """Name the interval."""
        return f"{self.seconds:g}s-{int(now // self.seconds)}"

    def next(self, now: float) -> float:
        """Return when the next interval begins."""
        return (now // self.seconds + 1) * self.seconds


@dataclass(frozen=True)
class Cron:
    """In the minutes that a crontab names."""

    crontab: Crontab

    def occurrence(self, now: float) -> str | None:
        """Name the minute, if it is one of them."""
        minute = minute_of(datetime.fromtimestamp(now, UTC))
        return f"{minute:%Y%m%dT%H%MZ}" if self.crontab.matches(minute) else None

    def next(self, now: float) -> float:
        """Return when the next minute begins."""
        return next_minute(datetime.fromtimestamp(now, UTC)).timestamp()


class Scheduler:
    """A thread that sends what is due. An occurrence missed while no scheduler ran is skipped.

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
            task.apply_async(task_id=f"{task.name}@{occurrence}", expires=max(expires, 1.0))
        except Exception:  # one occurrence is lost; the next one must not be
            log.exception("%s could not be sent for %s", task.name, occurrence)

    def _loop(self) -> None:
        while not self._over.is_set():
            again = self.look()
            self._over.wait(max(0.05, again - self._clock()))
