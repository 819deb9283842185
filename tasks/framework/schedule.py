"""When periodic tasks are due: cron expressions of five fields, in any time zone, or intervals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),
)


@dataclass(frozen=True)
class Crontab:
    """When a periodic task is due, to the minute.

    As in cron: if both days are restricted, one of them is enough; 0 and 7 are Sunday.
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``minute hour day month weekday``, each ``*``, numbers, ranges, ``/steps``.

        Raises:
            ValueError: naming the field that cannot be read.
        """
        parts = text.split()
        if len(parts) != len(FIELDS):
            raise ValueError(
                f"cron {text!r} has {len(parts)} fields: write five, as in '*/5 * * * *'"
            )
        values = [_field(part, *spec) for part, spec in zip(parts, FIELDS, strict=True)]
        weekdays = frozenset(day % 7 for day in values[4])
        return cls(text, values[0], values[1], values[2], values[3], weekdays)

    def matches(self, moment: datetime) -> bool:
        """Whether the task is due in that minute, given in the crontab's own time zone."""
        weekday = moment.isoweekday() % 7
        fields = self.text.split()
        if fields[2] != "*" and fields[4] != "*":
            day = moment.day in self.days or weekday in self.weekdays
        else:
            day = moment.day in self.days and weekday in self.weekdays
        return (
            day
            and moment.minute in self.minutes
            and moment.hour in self.hours
            and moment.month in self.months
        )


class Period(Protocol):
    """When something is due."""

    def occurrence(self, now: float) -> str | None:
        """Name the newest occurrence that should have been sent by now, or None.

        Everybody gives the same occurrence the same name.
        """

    def next(self, now: float) -> float:
        """Return when to look again, in seconds since 1970."""


@dataclass(frozen=True)
class Every:
    """Every so many seconds, counted from 1970. A missed interval is made good while it lasts."""

    seconds: float

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"every={self.seconds}: use more than 0 seconds")

    def __str__(self) -> str:
        return f"every {self.seconds:g} s"

    def occurrence(self, now: float) -> str:
        """Name the interval."""
        return f"{self.seconds:g}s-{int(now // self.seconds)}"

    def next(self, now: float) -> float:
        """Return when the next interval begins."""
        return (now // self.seconds + 1) * self.seconds


CATCH_UP_MINUTES = 10
"""A minute missed because no scheduler ran is made good this long, and skipped after that."""


@dataclass(frozen=True)
class Cron:
    """In the minutes that a crontab names, by the clocks of a time zone.

    An occurrence goes by its local time: an hour that the clocks repeat is due once, one that
    they leave out is not due at all.
    """

    crontab: Crontab
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"time zone {self.timezone!r} is unknown: use a name such as Europe/Lisbon"
            ) from None

    def __str__(self) -> str:
        return f"{self.crontab.text} ({self.timezone})"

    def occurrence(self, now: float) -> str | None:
        """Name the newest due minute of the last ten."""
        for ago in range(CATCH_UP_MINUTES):
            local = datetime.fromtimestamp(now - 60 * ago, ZoneInfo(self.timezone))
            if self.crontab.matches(local):
                return f"{local:%Y%m%dT%H%M}"
        return None

    def next(self, now: float) -> float:
        """Return when the next minute begins."""
        return (now // 60 + 1) * 60


def _field(text: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        try:
            start, end = (low, high) if span == "*" else (int(first), int(last or first))
            every = int(step) if step else 1
        except ValueError:
            raise ValueError(f"cron {name} {part!r} is not a number, range or step") from None
        if step and span != "*" and not last:
            end = high
        if not low <= start <= end <= high or every < 1:
            raise ValueError(f"cron {name} {part!r} is outside {low} to {high}")
        found.update(range(start, end + 1, every))
    return frozenset(found)
