"""What is scheduled: each periodic task, its newest occurrence and when the next one is due."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tasks.framework.inspection import stamp, summary
from tasks.framework.protocol import Protocol
from tasks.framework.reading import Reading, listing
from tasks.framework.schedule import Cron, Crontab, Period
from tasks.framework.task import Task

FAR_DAYS = 8 * 366
"""How far ahead the next occurrence is looked for: a 29th of February can be eight years off."""

NEWEST = 50
"""Among how many of a task's newest runs its last occurrence is looked for: others were sent."""


@dataclass(frozen=True)
class Appointment:
    """A periodic task: when it is due, what became of its last occurrence, when the next is.

    ``next`` is in seconds since 1970; None if no day of the next eight years is one of its days.
    """

    task: str
    period: str
    last: Reading | None
    next: float | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "task": self.task,
            "period": self.period,
            "last": summary(self.last) if self.last else None,
            "next": stamp(self.next),
        }


def agenda(
    protocol: Protocol, periodic: Iterable[tuple[Task[..., Any], Period]]
) -> tuple[Appointment, ...]:
    """Return every periodic task with its newest occurrence and its next."""
    now = protocol.clock()
    return tuple(
        Appointment(
            task.name, str(period), _last(protocol, task.name), next_occurrence(period, now)
        )
        for task, period in periodic
    )


def next_occurrence(period: Period, now: float) -> float | None:
    """Return when a period's next occurrence begins, in seconds since 1970."""
    if not isinstance(period, Cron):
        return period.next(now)
    zone = ZoneInfo(period.timezone)
    today = datetime.fromtimestamp(now, zone).date()
    for ahead in range(FAR_DAYS):
        for minute in _minutes(period.crontab, today + timedelta(days=ahead)):
            moment = minute.replace(tzinfo=zone).timestamp()
            exists = datetime.fromtimestamp(moment, zone).replace(tzinfo=None) == minute
            if moment > now and exists:  # the clocks may leave an hour out
                return moment
    return None


def _minutes(crontab: Crontab, day: date) -> Iterator[datetime]:
    """Yield a day's due minutes, by its own clocks, in order."""
    for hour in sorted(crontab.hours):
        for minute in sorted(crontab.minutes):
            moment = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - local
            if not crontab.matches(moment):
                return  # not on this day at all: hour and minute are right
            yield moment


def _last(protocol: Protocol, task: str) -> Reading | None:
    """Find the newest run that a scheduler sent: its id names the occurrence."""
    newest = listing(protocol, task=task, limit=NEWEST)
    return next((run for run in newest if run.id.startswith(f"{task}@")), None)
