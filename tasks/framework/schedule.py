"""Cron expressions: five fields, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

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
        """Whether the task is due in that minute, given in UTC."""
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


def minute_of(moment: datetime) -> datetime:
    """Return the minute that a moment lies in."""
    return moment.replace(second=0, microsecond=0)


def next_minute(moment: datetime) -> datetime:
    """Return the beginning of the next minute."""
    return minute_of(moment) + timedelta(minutes=1)


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
