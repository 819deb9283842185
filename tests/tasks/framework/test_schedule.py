"""Crontabs and the scheduler."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.framework import AsyncResult, task
from tasks.framework.schedule import Cron, Crontab, Every
from tasks.framework.scheduler import Scheduler
from tests.tasks.framework.rig import Rig


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "yes", "no"),
    [
        ("* * * * *", "2026-11-23T16:40", None),
        ("*/15 * * * *", "2026-11-23T16:45", "2026-11-23T16:46"),
        ("17 3 * * *", "2026-11-23T03:17", "2026-11-23T04:17"),
        ("0 9-17 * * 1-5", "2026-11-23T09:00", "2026-11-22T09:00"),
        ("0 0 * * 0", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("0 0 * * 7", "2026-11-22T00:00", "2026-11-23T00:00"),
        ("0 0 1,15 * *", "2026-11-15T00:00", "2026-11-16T00:00"),
        ("0 0 13 * 5", "2026-11-20T00:00", "2026-11-21T00:00"),  # a Friday, or a 13th
        ("0 0 13 * 5", "2026-12-13T00:00", "2026-12-14T00:00"),
        ("5/20 * * 2 *", "2026-02-01T00:25", "2026-03-01T00:25"),
    ],
)
def test_a_crontab_matches_its_minutes_only(cron: str, yes: str, no: str | None) -> None:
    crontab = Crontab.parse(cron)
    assert crontab.matches(moment(yes))
    if no:
        assert not crontab.matches(moment(no))


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("* * * *", "4 fields"),
        ("60 * * * *", "minute '60' is outside 0 to 59"),
        ("* * 0 * *", "day of month"),
        ("*/0 * * * *", "outside"),
        ("x * * * *", "minute 'x'"),
        ("5-1 * * * *", "outside"),
    ],
)
def test_a_crontab_that_cannot_be_read_names_the_field(cron: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Crontab.parse(cron)


@task(name="tests.periodic")
def periodic() -> None:
    """Do nothing, regularly."""


def test_an_occurrence_is_sent_once_however_many_schedulers_look(rig: Rig) -> None:
    schedulers = [Scheduler([(periodic, Every(60))], rig.clock) for _ in range(3)]
    for scheduler in schedulers:
        scheduler.look()
        scheduler.look()
    assert rig.backend.sent == 1

    rig.clock.now += 60
    for scheduler in schedulers:
        scheduler.look()
    assert rig.backend.sent == 2


def test_a_scheduler_looks_again_when_the_next_occurrence_may_be_due(rig: Rig) -> None:
    rig.clock.now = moment("2026-11-23T16:40:30").timestamp()
    crontab = Cron(Crontab.parse("41 * * * *"))

    again = Scheduler([(periodic, crontab)], rig.clock).look()

    assert again == moment("2026-11-23T16:41").timestamp()
    assert rig.backend.sent == 0
    rig.clock.now = again
    Scheduler([(periodic, crontab)], rig.clock).look()
    assert AsyncResult[None]("tests.periodic@20261123T1641").state == "queued"


def nothing() -> None:
    """Do nothing."""


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_crontab_goes_by_the_clocks_of_its_time_zone() -> None:
    nine = Cron(Crontab.parse("0 9 * * *"), "Europe/Lisbon")
    assert nine.occurrence(at("2026-07-01T08:00:00+00:00")) == "20260701T0900"  # summer time
    assert nine.occurrence(at("2026-12-01T09:00:00+00:00")) == "20261201T0900"
    assert nine.occurrence(at("2026-07-01T09:30:00+00:00")) is None


def test_an_hour_that_the_clocks_repeat_is_due_once() -> None:
    daily = Cron(Crontab.parse("30 1 * * *"), "Europe/Lisbon")
    first, second = at("2026-10-25T00:30:00+00:00"), at("2026-10-25T01:30:00+00:00")
    assert daily.occurrence(first) == daily.occurrence(second) == "20261025T0130"


def test_a_missed_minute_is_made_good_for_ten_minutes_and_then_skipped() -> None:
    hourly = Cron(Crontab.parse("0 * * * *"))
    due = at("2026-11-23T16:00:00+00:00")
    assert hourly.occurrence(due + 9 * 60) == "20261123T1600"
    assert hourly.occurrence(due + 10 * 60) is None


def test_a_missed_interval_is_made_good_while_it_lasts() -> None:
    every = Every(600)
    assert every.occurrence(600) == every.occurrence(1199) == "600s-1"
    assert every.occurrence(1200) == "600s-2"
    assert every.next(1199) == 1200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cron": "* * * * *", "every": 5.0}, "not both"),
        ({"cron": "* * * * *", "timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"every": -1.0}, "more than 0"),
        ({"cron": "61 * * * *"}, "minute '61'"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(
    options: dict[str, Any], message: str
) -> None:
    declare: Any = task
    with pytest.raises(ValueError, match=message):
        declare(name="tests.senseless", **options)(nothing)
