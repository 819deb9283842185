"""Claiming an attempt: one at a time, then look."""

from __future__ import annotations

from tasks.framework import State
from tasks.framework.reading import read
from tasks.framework.records import Ending, Run
from tests.tasks.framework.rig import Rig, claim, request, state


def test_an_attempt_is_claimed_once_while_it_beats(rig: Rig) -> None:
    rig.protocol.submit(request())
    assert claim(rig, "w1") is not None
    waits: list[float] = []

    def wait() -> None:
        waits.append(rig.clock.now)
        rig.clock.now += 2

    second = claim(rig, "w2", wait)

    assert second is not None
    assert second.run.attempt == 2
    assert len(waits) == 3  # until the first beat was five seconds old


def test_a_delivery_that_waited_for_a_run_that_ends_has_nothing_to_do(rig: Rig) -> None:
    rig.protocol.submit(request())
    claim(rig, "w1")

    def wait() -> None:
        rig.protocol.end("J", Ending(State.SUCCEEDED))

    assert claim(rig, "w2", wait) is None
    assert state(rig) is State.SUCCEEDED


def test_a_run_is_lost_when_its_last_attempt_falls_silent(rig: Rig) -> None:
    rig.protocol.submit(request())
    for _ in range(2):
        assert claim(rig) is not None
        rig.clock.now += 10

    assert claim(rig) is None
    reading = read(rig.protocol, "J")
    assert reading is not None
    assert reading.state is State.FAILED
    assert reading.error is not None
    assert reading.error["type"] == "WorkerLost"


def test_an_expired_run_never_starts(rig: Rig) -> None:
    rig.protocol.submit(request(deadline=rig.clock.now + 1))
    rig.clock.now += 1

    assert claim(rig) is None
    assert state(rig) is State.EXPIRED


def test_the_deadline_concerns_the_first_attempt_only(rig: Rig) -> None:
    rig.protocol.submit(request(deadline=rig.clock.now + 1))
    assert claim(rig) is not None
    rig.clock.now += 10

    second = claim(rig)

    assert second is not None
    assert second.run.attempt == 2


def test_a_claim_looks_at_stop_after_it_was_made(rig: Rig) -> None:
    rig.protocol.submit(request())
    claim(rig)
    rig.protocol.revoke("J")
    rig.clock.now += 10  # the first worker died

    assert claim(rig) is None
    assert state(rig) is State.REVOKED


def test_a_second_attempt_keeps_the_log_and_the_start_of_the_first(rig: Rig) -> None:
    rig.protocol.submit(request(headers={"a": 1}))
    first = claim(rig)
    assert first is not None
    told = {"logs": ["one"], "kept": {"tries": 1}}
    rig.protocol.silence("J", Run(**{**first.run.to_json(), **told}))
    rig.clock.now += 1

    second = claim(rig)

    assert second is not None
    assert second.run.logs == ["one"]
    assert second.run.kept == {"tries": 1}
    assert second.run.headers == {"a": 1}
    assert second.run.started == first.run.started
