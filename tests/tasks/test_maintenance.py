"""The scheduled tasks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from comfy_runner.bucket import LocalBucket
from settings import Settings
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


def test_purge_forgets_input_files_that_no_job_can_need(rig: Rig, tmp_path: Path) -> None:
    bucket = LocalBucket(tmp_path / "files", b"s" * 32, lambda: rig.clock.now)
    source = tmp_path / "source"
    source.write_bytes(b"x")
    settings = Settings(queued_timeout_seconds=100, job_timeout_seconds=200)
    keys = ("media/old", "media/young", "outputs/old")

    def put(key: str, age: float) -> None:
        bucket.put(key, source, content_type="image/png", filename="a.png")
        name = key.rpartition("/")[2]
        for file in (tmp_path / "files").rglob(f"{key.partition('/')[0]}/{name}*/*"):
            os.utime(file, (rig.clock.now - age,) * 2)

    put("media/old", 300 + 2 * maintenance.DAY + 1)
    put("media/young", 300 + 2 * maintenance.DAY - 1)
    put("outputs/old", 300 + 9 * maintenance.DAY)
    maintenance.use(settings, lambda: bucket)
    assert maintenance.purge() == 1
    assert [bucket.stored_at(key) is not None for key in keys] == [False, True, True]


def test_both_are_scheduled() -> None:
    assert str(maintenance.tick.period) == "* * * * * (UTC)"
    assert str(maintenance.purge.period) == "17 3 * * * (UTC)"
