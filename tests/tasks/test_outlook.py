"""How long a queued job still has to wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import Settings
from tasks import jobs
from tasks.framework import Protocol, State
from tasks.framework.backends.local import LocalBackend
from tasks.framework.records import Claim, Ending
from tests.tasks.framework.rig import Rig, no_wait

GRAPH = {"1": {"class_type": "X", "inputs": {}}}


class Crowd:
    """Jobs that are sent, started and ended by hand; `busy` of them are claimed messages."""

    def __init__(self, rig: Rig, local: LocalBackend | None) -> None:
        self.rig, self._local = rig, local

    def submit(self) -> str:
        self.rig.clock.now += 0.001  # two are never sent at the very same time
        return jobs.submit(GRAPH, user_id=None, settings=Settings()).job_id

    def start(self, job_id: str, worker: str = "w") -> Claim:
        if self._local:
            delivery = self._local.claim("comfy", worker)
            assert delivery
            assert delivery.message["id"] == job_id
        claimed = self.rig.protocol.claim(job_id, worker=worker, wait=no_wait)
        assert claimed
        return claimed

    def end(self, claimed: Claim) -> None:
        ending = Ending.of(State.SUCCEEDED, claimed.run, result={"outputs": []})
        self.rig.protocol.end(claimed.job.id, ending)

    def ran(self, *seconds: float) -> None:
        """Have jobs run that took so long."""
        for each in seconds:
            claimed = self.rig.protocol.claim(self.submit(), worker="w", wait=no_wait)
            assert claimed
            self.rig.clock.now += each
            self.end(claimed)
        if self._local:
            self._local._database.change("DELETE FROM calls")

    def outlook(self, job_id: str) -> tuple[int | None, int | None]:
        job = jobs.get(job_id)
        return job.queue_position, job.estimated_wait_seconds


@pytest.fixture(params=["scanned", "local"])
def crowd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Crowd]:
    rig = Rig()
    local = None
    if request.param == "local":
        local = LocalBackend(tmp_path / "tasks.db", tmp_path / "bells")
        plain = rig.protocol
        rig.protocol = Protocol(
            plain.store, plain.archive, local, rig.clock, plain.pool_of, plain.timing
        )
        rig.runtime = type(rig.runtime)(rig.protocol)
    with rig.configured():
        yield Crowd(rig, local)


def test_nobody_can_tell_how_long_before_some_jobs_have_run(crowd: Crowd) -> None:
    crowd.ran(10, 10)
    crowd.start(crowd.submit())
    assert crowd.outlook(crowd.submit()) == (1, None)


def test_nobody_can_tell_how_long_while_no_worker_is_at_work(crowd: Crowd) -> None:
    crowd.ran(10, 10, 10)
    assert [crowd.outlook(crowd.submit()) for _ in range(2)] == [(1, None), (2, None)]


def test_each_job_ahead_takes_what_jobs_have_taken(crowd: Crowd) -> None:
    crowd.ran(1, 10, 1000)
    crowd.start(crowd.submit())
    crowd.rig.clock.now += 4
    waiting = [crowd.submit() for _ in range(3)]
    assert [crowd.outlook(each) for each in waiting] == [(1, 6), (2, 16), (3, 26)]


def test_several_workers_share_the_queue(crowd: Crowd) -> None:
    crowd.ran(10, 10, 10)
    crowd.start(crowd.submit(), "v")
    crowd.rig.clock.now += 4
    crowd.start(crowd.submit(), "w")
    crowd.rig.clock.now += 2
    waiting = [crowd.submit() for _ in range(3)]
    assert [crowd.outlook(each) for each in waiting] == [(1, 4), (2, 8), (3, 14)]


def test_a_run_that_takes_longer_than_usual_may_end_at_any_time(crowd: Crowd) -> None:
    crowd.ran(10, 10, 10)
    crowd.start(crowd.submit())
    crowd.rig.clock.now += 60
    assert crowd.outlook(crowd.submit()) == (1, 0)


def test_only_a_job_that_waits_has_an_outlook(crowd: Crowd) -> None:
    crowd.ran(10, 10, 10)
    claimed = crowd.start(job_id := crowd.submit())
    assert crowd.outlook(job_id) == (None, None)
    crowd.end(claimed)
    assert crowd.outlook(job_id) == (None, None)
