"""The scheduled tasks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tasks import maintenance
from tasks.framework import State
from tasks.framework.execute import execute
from tasks.framework.reading import read
from tests.tasks.framework.rig import Rig, request


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


def test_tick_runs_as_a_task_and_settles_what_it_finds(rig: Rig) -> None:
    rig.protocol.submit(request(deadline=rig.clock.now))
    result = maintenance.tick.delay()
    execute({"id": result.id})

    reading = read(rig.protocol, "J")
    assert reading is not None
    assert reading.state is State.EXPIRED
    assert result.get(1) >= 1


def test_purge_forgets_old_ticks_and_keeps_jobs(rig: Rig) -> None:
    old = maintenance.tick.apply_async(task_id="old-tick")
    execute({"id": old.id})
    rig.protocol.submit(request())
    rig.protocol.revoke("J")
    rig.clock.now += 4 * maintenance.DAY

    assert maintenance.purge() == 3  # two finals, and the archived tick

    assert read(rig.protocol, "old-tick") is None
    kept = read(rig.protocol, "J")
    assert kept is not None
    assert kept.state is State.REVOKED


def test_both_are_scheduled() -> None:
    assert str(maintenance.tick.period) == "* * * * * (UTC)"
    assert str(maintenance.purge.period) == "17 3 * * * (UTC)"
