"""When periodic tasks are due next, and what became of the last time."""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tasks.framework import State, task
from tasks.framework.agenda import agenda, next_occurrence
from tasks.framework.schedule import Cron, Crontab, Every
from tests.tasks.framework.rig import Rig


@task(name="tests.agenda.sweep", cron="*/5 * * * *", timezone="Europe/Lisbon")
def sweep() -> None:
    """Be periodic."""


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("cron", "zone", "now", "due"),
    [
        ("* * * * *", "UTC", "2026-01-31T23:59:30", "2026-02-01T00:00"),
        ("0 0 * * *", "UTC", "2026-01-31T00:00", "2026-02-01T00:00"),
        ("30 9 * * 1-5", "UTC", "2026-11-20T09:30", "2026-11-23T09:30"),
        ("0 12 1 * *", "Europe/Lisbon", "2026-06-15T00:00", "2026-07-01T12:00"),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", "2028-02-29T00:00"),
        ("0 0 29 2 *", "UTC", "2096-03-01T00:00", "2104-02-29T00:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:00", "2026-03-30T02:30"),
        ("30 1 * * *", "Europe/Lisbon", "2026-10-25T00:00", "2026-10-25T01:30"),
    ],
)
def test_the_next_occurrence_of_a_cron_goes_by_its_own_clocks(
    cron: str, zone: str, now: str, due: str
) -> None:
    period = Cron(Crontab.parse(cron), zone)
    assert next_occurrence(period, at(now, zone)) == at(due, zone)
    assert period.occurrence(at(due, zone)) is not None


def test_a_day_that_no_year_has_never_comes() -> None:
    assert next_occurrence(Cron(Crontab.parse("0 0 30 2 *")), at("2026-01-01")) is None


def test_the_next_interval_begins_at_a_multiple_of_its_length() -> None:
    assert next_occurrence(Every(60.0), 1000.0) == 1020.0


def test_an_appointment_shows_the_last_occurrence_and_not_what_was_sent_by_hand(rig: Rig) -> None:
    sweep.apply_async(task_id=f"{sweep.name}@20261123T1640")
    rig.clock.now += 1
    sweep.apply_async(task_id=f"{sweep.name}@20261123T1645").revoke()
    rig.clock.now += 1
    sweep.delay()
    assert sweep.period is not None

    (found,) = agenda(rig.protocol, [(sweep, sweep.period)])

    assert (found.task, found.period) == (sweep.name, "*/5 * * * * (Europe/Lisbon)")
    assert found.last is not None
    assert (found.last.id, found.last.state) == (f"{sweep.name}@20261123T1645", State.REVOKED)
    assert found.next is not None
    assert found.next > rig.clock.now
    told = found.to_json()
    assert json.loads(json.dumps(told)) == told


def test_a_task_that_was_never_due_has_no_last_occurrence(rig: Rig) -> None:
    assert agenda(rig.protocol, [(sweep, Every(10.0))])[0].last is None
