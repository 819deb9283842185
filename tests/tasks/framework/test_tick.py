"""What the sweep repairs, and what it leaves alone."""

from __future__ import annotations

from tasks.framework import State
from tasks.framework.reading import listing
from tasks.framework.tick import purge, tick
from tests.tasks.framework.rig import Rig, claim, request, state


def test_the_tick_sends_a_committed_run_whose_submitter_died(rig: Rig) -> None:
    rig.store.add("job:J", request().to_json())
    tick(rig.protocol)
    assert rig.backend.sent == 0  # the submitter may still be at it

    rig.clock.now += 10
    tick(rig.protocol)

    assert rig.backend.sent == 1
    assert [reading.id for reading in listing(rig.protocol, task="t")] == ["J"]


def test_the_tick_expires_what_waited_too_long_and_cancels_its_call(rig: Rig) -> None:
    rig.protocol.submit(request(deadline=rig.clock.now + 60))
    tick(rig.protocol)
    assert state(rig) is State.QUEUED

    rig.clock.now += 60
    tick(rig.protocol)

    assert state(rig) is State.EXPIRED
    assert rig.backend.cancelled == ["1"]


def test_the_tick_leaves_a_beating_run_alone(rig: Rig) -> None:
    rig.protocol.submit(request(deadline=rig.clock.now + 1))
    claim(rig)
    rig.backend.lose_all()
    rig.clock.now += 4
    tick(rig.protocol)

    assert state(rig) is State.STARTED
    assert rig.backend.sent == 1


def test_the_tick_sends_a_silent_run_again_and_fails_it_the_second_time(rig: Rig) -> None:
    rig.protocol.submit(request())
    for _ in range(2):
        claim(rig)
        rig.backend.lose_all()
        rig.clock.now += 10
        tick(rig.protocol)

    assert rig.backend.sent == 2
    assert state(rig) is State.FAILED


def test_the_tick_revokes_a_stopped_run_whose_worker_died(rig: Rig) -> None:
    rig.protocol.submit(request())
    claim(rig)
    rig.protocol.revoke("J")
    rig.clock.now += 10
    tick(rig.protocol)

    assert state(rig) is State.REVOKED


def test_the_tick_sweeps_what_late_writers_leave_behind(rig: Rig) -> None:
    rig.protocol.submit(request())
    rig.protocol.revoke("J")
    for key in ("live:J", "call:J", "run:J:1", "stop:J", "job:J"):
        rig.store.put(key, request().to_json())

    tick(rig.protocol)

    assert [key for key, _ in rig.store.scan("")] == ["final:J"]


def test_purge_drops_old_finals_and_voids_only(rig: Rig) -> None:
    rig.protocol.submit(request("old"))
    rig.protocol.revoke("old")
    rig.protocol.claim_slot(request("void", owner="o"), 1)
    rig.clock.now += 100
    tick(rig.protocol)
    rig.clock.now += 50
    rig.protocol.submit(request("new"))
    rig.protocol.revoke("new")
    rig.protocol.submit(request("alive"))

    assert purge(rig.protocol, older_than=100) == 1
    assert rig.protocol.final("old") is None
    rig.clock.now += 100
    assert purge(rig.protocol, older_than=120) == 1
    assert rig.protocol.job("void") is None
    assert rig.protocol.final("new") is not None
    assert rig.protocol.job("alive") is not None
