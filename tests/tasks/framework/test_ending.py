"""How a run ends: first one wins, anybody finishes; revoking; races."""

from __future__ import annotations

import pytest

from tasks.framework import LimitReached, State, signals
from tasks.framework.records import Claim, Ending, Final, Run
from tasks.framework.tick import tick
from tests.tasks.framework.rig import Interleaved, Rig, claim, request, state


def test_the_first_ending_stays_and_only_it_is_signalled(rig: Rig) -> None:
    heard: list[Final] = []

    def hear(final: Final) -> None:
        heard.append(final)

    rig.protocol.submit(request())
    claim(rig)
    with signals.succeeded.connected_to(hear), signals.failed.connected_to(hear):
        rig.protocol.end("J", Ending(State.SUCCEEDED, result=1))
        rig.protocol.end("J", Ending(State.FAILED))

    assert [final.state for final in heard] == [State.SUCCEEDED]
    assert state(rig) is State.SUCCEEDED


def test_finishing_leaves_nothing_but_the_final_and_the_archive(rig: Rig) -> None:
    rig.protocol.submit(request(owner="o"), limit=1)
    claim(rig)
    rig.protocol.end("J", Ending(State.SUCCEEDED, result=1))

    assert [key for key, _ in rig.store.scan("")] == ["final:J"]
    archived = rig.archive.get("J")
    assert archived == rig.protocol.final("J")


def test_a_link_is_sent_once_however_often_the_run_is_finished(rig: Rig) -> None:
    rig.protocol.submit(request(link={"task": "hook", "args": ["u"]}))
    claim(rig)
    rig.protocol.end("J", Ending(State.FAILED))
    final = rig.protocol.final("J")
    assert final is not None
    rig.protocol.finish(final)
    rig.protocol.finish(final)

    assert rig.backend.sent == 2
    job = rig.protocol.job("J.link")
    assert job is not None
    assert (job.task, job.args) == ("hook", ["J", "u"])


def test_a_run_revoked_before_it_started_never_starts_and_its_call_is_cancelled(rig: Rig) -> None:
    rig.protocol.submit(request())

    assert rig.protocol.revoke("J") is True
    assert state(rig) is State.REVOKED
    assert rig.backend.cancelled == ["1"]
    assert claim(rig) is None


def test_a_running_body_hears_of_a_stop_at_its_next_beat(rig: Rig) -> None:
    rig.protocol.submit(request())
    claimed = claim(rig)
    assert claimed is not None
    assert rig.protocol.beat("J", claimed.run) is False

    rig.protocol.revoke("J")

    assert rig.protocol.beat("J", claimed.run) is True
    assert state(rig) is State.REVOKED


def test_an_unknown_or_finished_run_cannot_be_revoked(rig: Rig) -> None:
    assert rig.protocol.revoke("J") is False
    rig.protocol.submit(request())
    rig.protocol.revoke("J")
    assert rig.protocol.revoke("J") is False


def test_a_stopped_run_whose_last_worker_died_is_revoked_and_not_lost(rig: Rig) -> None:
    rig.protocol.submit(request())
    for _ in range(2):
        assert claim(rig) is not None
        rig.clock.now += 10
    rig.protocol.revoke("J")

    assert claim(rig) is None
    assert state(rig) is State.REVOKED


def test_a_body_whose_run_was_ended_by_others_stops_at_its_next_beat(rig: Rig) -> None:
    rig.protocol.submit(request())
    claimed = claim(rig)
    assert claimed is not None
    rig.protocol.end("J", Ending(State.FAILED))

    assert rig.protocol.beat("J", claimed.run) is True
    tick(rig.protocol)
    assert rig.left() == []  # not even the late beat


def test_who_ends_a_run_second_neither_overwrites_nor_signals() -> None:
    heard: list[State] = []

    def hear(final: Final) -> None:
        heard.append(final.state)

    def first() -> None:
        rig.protocol.end("J", Ending(State.SUCCEEDED, result=1))

    rig = Rig(store=Interleaved("add final:J", first))
    rig.protocol.submit(request())
    with signals.succeeded.connected_to(hear), signals.failed.connected_to(hear):
        rig.protocol.end("J", Ending(State.FAILED))

    assert heard == [State.SUCCEEDED]
    assert state(rig) is State.SUCCEEDED
    assert rig.left() == []


def test_a_late_finisher_leaves_a_place_to_the_run_that_took_it_since(rig: Rig) -> None:
    rig.protocol.submit(request(owner="o"), limit=1)
    rig.protocol.revoke("J")
    final = rig.protocol.final("J")
    assert final is not None
    rig.protocol.submit(request("K", owner="o"), limit=1)

    rig.protocol.finish(final)

    with pytest.raises(LimitReached):
        rig.protocol.submit(request("L", owner="o"), limit=1)


def test_a_poller_that_reads_while_a_run_is_cleared_away_does_not_go_back() -> None:
    def finish_half() -> None:
        final = Final.of(request(), Ending(State.SUCCEEDED), 2.0)
        rig.store.add("final:J", final.to_json())
        rig.store.delete("run:J:1")  # the job goes later

    rig = Rig(store=Interleaved("get run:J:1", finish_half))
    rig.store.add("job:J", request().to_json())
    rig.store.add("run:J:1", Run(beat=1.0).to_json())

    assert state(rig) is State.SUCCEEDED


def test_a_worker_that_comes_while_a_run_expires_does_not_start_it() -> None:
    claims: list[Claim | None] = []
    rig = Rig(store=Interleaved("add final:J", lambda: claims.append(claim(rig))))
    rig.protocol.submit(request(deadline=rig.clock.now + 10))
    rig.clock.now += 9
    assert rig.protocol.never("J", State.EXPIRED) is True

    assert claims == [None]
    assert state(rig) is State.EXPIRED


def test_a_run_that_is_claimed_while_it_is_revoked_is_stopped_instead() -> None:
    claims: list[Claim | None] = []
    rig = Rig(store=Interleaved("add run:J:1", lambda: claims.append(claim(rig))))
    rig.protocol.submit(request())
    assert rig.protocol.revoke("J") is True

    assert claims[0] is not None
    assert state(rig) is State.STARTED
    assert rig.protocol.beat("J", claims[0].run) is True
    assert state(rig) is State.REVOKED
