"""Schedules on Modal: what is fired is carried out where it is fired, once for each occurrence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tasks.framework import task
from tasks.framework.task import registry
from tasks.on_modal import LightContainer
from tests.tasks.framework.rig import Rig

DUE = datetime(2026, 3, 1, 3, 17, 30, tzinfo=UTC).timestamp()


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        rig.clock.now = DUE
        yield rig


@pytest.fixture
def ran(rig: Rig) -> Iterator[list[str]]:
    """What a scheduled task has done so far."""
    assert rig
    done: list[str] = []

    @task(name="nightly", cron="17 3 * * *")
    def nightly() -> None:
        done.append("ran")

    @task(name="other")
    def other() -> None:
        done.append("other")

    yield done
    del registry["nightly"], registry["other"]


def test_a_schedule_is_carried_out_where_it_fires(ran: list[str]) -> None:
    LightContainer().occur("nightly", DUE)
    assert ran == ["ran"]


def test_one_that_fires_twice_in_its_minute_runs_once(ran: list[str]) -> None:
    LightContainer().occur("nightly", DUE)
    LightContainer().occur("nightly", DUE + 20)
    assert ran == ["ran"]


def test_one_that_fires_some_minutes_late_is_the_same_occurrence(ran: list[str]) -> None:
    LightContainer().occur("nightly", DUE)
    LightContainer().occur("nightly", DUE + 300)
    assert ran == ["ran"]


def test_one_that_fires_hours_late_still_runs(ran: list[str]) -> None:
    LightContainer().occur("nightly", DUE + 7200)
    LightContainer().occur("nightly", DUE + 7201)
    assert ran == ["ran"]


def test_a_task_without_a_schedule_is_refused_by_name(ran: list[str]) -> None:
    with pytest.raises(ValueError, match="'other' has no period"):
        LightContainer().occur("other", DUE)
    assert ran == []
