"""Idempotency keys over time: held, given back, taken over from the dead, forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from settings import Settings
from tasks import jobs
from tasks.framework.tick import tick
from tasks.jobs import Hold, KeyInUse, KeyReused
from tasks.jobs.idempotency import KEPT_SECONDS, PATIENCE_SECONDS, _take_over, release
from tests.tasks.framework.rig import Rig

GRAPH = {"1": {"class_type": "X", "inputs": {}}}
REQUEST = ["POST", "/v1/jobs", {"workflow": GRAPH}]


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


def submit(held: Hold, **settings: int) -> str:
    chosen = Settings().replace(**settings)
    return jobs.submit(GRAPH, user_id="u", settings=chosen, held=held).job_id


def send(caller: str = "c", key: str = "k", request: object = REQUEST) -> str:
    with jobs.hold(caller, key, request) as held:
        return held.job.job_id if held.job else submit(held)


def test_a_key_belongs_to_its_caller(rig: Rig) -> None:
    assert send("one") != send("two")
    assert send("one") == send("one")


def test_a_key_and_its_caller_are_not_run_together(rig: Rig) -> None:
    assert send("ab", "c") != send("a", "bc")


def test_a_second_request_is_refused_while_the_first_is_in_hand(rig: Rig) -> None:
    with jobs.hold("c", "k", REQUEST) as held:
        rig.clock.now += PATIENCE_SECONDS - 1
        with pytest.raises(KeyInUse):
            send()
        with pytest.raises(KeyReused):
            send(request="another")
        job_id = submit(held)
        assert send() == job_id
    assert send() == job_id


def test_a_block_that_fails_gives_the_key_back(rig: Rig) -> None:
    with pytest.raises(RuntimeError), jobs.hold("c", "k", REQUEST) as held:
        raise RuntimeError
    assert send() != held.job_id


def test_a_block_that_fails_behind_its_job_keeps_the_key(rig: Rig) -> None:
    held = jobs.hold("c", "k", REQUEST)
    job_id = submit(held.__enter__())
    assert not held.__exit__(RuntimeError, RuntimeError(), None)
    assert send() == job_id


def test_a_request_that_died_is_taken_over_under_its_own_id(rig: Rig) -> None:
    dead = jobs.hold("c", "k", REQUEST)
    job_id = dead.__enter__().job_id
    rig.clock.now += PATIENCE_SECONDS
    with jobs.hold("c", "k", REQUEST) as held:
        assert (held.job_id, held.job) == (job_id, None)
        with pytest.raises(KeyInUse):
            send()  # the patience begins anew
        assert submit(held) == job_id
    assert not dead.__exit__(RuntimeError, RuntimeError(), None)  # it was only slow, and fails
    assert send() == job_id


def test_one_that_was_only_slow_makes_no_second_job(rig: Rig) -> None:
    with jobs.hold("c", "k", REQUEST) as slow:
        rig.clock.now += PATIENCE_SECONDS
        job_id = send()
        assert submit(slow) == job_id
    assert len(jobs.list_jobs().jobs) == 1


def test_a_job_abandoned_between_its_place_and_its_record_is_found_under_its_new_id(
    rig: Rig,
) -> None:
    dead = jobs.hold("c", "k", REQUEST)
    job_id = dead.__enter__().job_id
    slot = "slot:tasks.workflow.run_workflow:u:0"
    rig.store.add(slot, {"id": job_id, "at": rig.clock.now})  # and then it is killed
    rig.clock.now += PATIENCE_SECONDS
    tick(rig.protocol)

    assert send() == job_id + "+"
    assert send() == job_id + "+"
    assert not dead.__exit__(RuntimeError, RuntimeError(), None)


def test_a_key_is_forgotten_after_a_day_and_not_before(rig: Rig) -> None:
    job_id = send()
    rig.clock.now += KEPT_SECONDS - 1
    assert jobs.forget_keys() == 0
    assert send() == job_id
    rig.clock.now += 1
    assert send(request="another") != job_id
    rig.clock.now += KEPT_SECONDS
    assert jobs.forget_keys() == 1
    assert list(rig.store.scan("idem:")) == []


def test_of_two_who_take_over_one_does(rig: Rig) -> None:
    dead = jobs.hold("c", "k", REQUEST)
    name = dead.__enter__().name
    found = rig.store.get(name)
    assert found
    rig.clock.now += PATIENCE_SECONDS
    assert _take_over(rig.protocol, name, found)["job"] == found["job"]
    with pytest.raises(KeyInUse):
        _take_over(rig.protocol, name, found)
    assert not dead.__exit__(RuntimeError, RuntimeError(), None)


def test_only_the_job_of_a_key_takes_it_along(rig: Rig) -> None:
    job_id = send()
    (name, _) = next(rig.store.scan("idem:"))
    release(name, "another")
    assert send() == job_id
    release(name, job_id + "+")
    assert send() != job_id


def test_a_job_done_again_has_no_key_of_its_own(rig: Rig) -> None:
    job_id = send()
    jobs.cancel(job_id)
    unused: Any = None  # no input file is looked for
    again = jobs.retry(job_id, settings=Settings(), bucket=unused)
    record = rig.protocol.job(again.job_id)
    assert record
    assert record.headers == {"retry_of": job_id}
