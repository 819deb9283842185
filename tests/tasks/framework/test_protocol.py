"""The protocol, step by step: what each rule is there for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.framework import IdTaken, LimitReached, State, signals
from tasks.framework.reading import listing, read
from tasks.framework.records import Claim, Ending, Final, Run
from tasks.framework.stores import Json
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.tick import purge, tick
from tests.tasks.framework.rig import Rig, request


def no_wait() -> None:
    raise AssertionError("nothing to wait for")


def claim(rig: Rig, worker: str = "w", wait: Callable[[], None] = no_wait) -> Claim | None:
    return rig.protocol.claim("J", worker=worker, wait=wait)


def state(rig: Rig, run_id: str = "J") -> State | None:
    reading = read(rig.protocol, run_id)
    return reading.state if reading else None


# -- submit --------------------------------------------------------------------------------


def test_the_same_id_is_the_same_run_and_is_sent_once(rig: Rig) -> None:
    assert rig.protocol.submit(request()) == "J"
    assert rig.protocol.submit(request()) == "J"

    assert rig.backend.sent == 1


def test_the_same_id_with_another_request_is_refused(rig: Rig) -> None:
    rig.protocol.submit(request())

    with pytest.raises(IdTaken, match="'J'"):
        rig.protocol.submit(request(digest="other"))


def test_a_finished_run_is_not_run_again_even_when_only_the_archive_knows_it(rig: Rig) -> None:
    rig.protocol.submit(request())
    claim(rig)
    rig.protocol.end("J", Ending(State.SUCCEEDED))
    purge(rig.protocol, older_than=-1)

    assert rig.protocol.submit(request()) == "J"
    assert rig.backend.sent == 1
    with pytest.raises(IdTaken):
        rig.protocol.submit(request(digest="other"))


def test_an_owner_may_not_have_more_unfinished_runs_than_the_limit(rig: Rig) -> None:
    rig.protocol.submit(request("A", owner="o"), limit=2)
    rig.protocol.submit(request("B", owner="o"), limit=2)

    with pytest.raises(LimitReached) as caught:
        rig.protocol.submit(request("C", owner="o"), limit=2)
    assert caught.value.limit == 2
    assert rig.protocol.job("C") is None  # nothing was written

    rig.protocol.submit(request("D", owner="another"), limit=2)
    rig.protocol.submit(request("E", owner="o", task="another"), limit=2)


def test_a_finished_run_frees_its_place(rig: Rig) -> None:
    rig.protocol.submit(request(owner="o"), limit=1)
    rig.protocol.revoke("J")

    rig.protocol.submit(request("K", owner="o"), limit=1)


def test_a_submission_shares_the_place_that_an_earlier_try_took(rig: Rig) -> None:
    rig.protocol.claim_slot(request(owner="o"), 1)  # ... and died before it committed

    assert rig.protocol.submit(request(owner="o"), limit=1) == "J"


def test_an_abandoned_submission_is_voided_and_its_id_moves_on(rig: Rig) -> None:
    rig.protocol.claim_slot(request(owner="o"), 1)
    rig.clock.now += 10
    tick(rig.protocol)

    assert rig.protocol.submit(request(owner="o"), limit=1) == "J+"
    assert rig.protocol.submit(request(owner="o"), limit=1) == "J+"


# -- claim ---------------------------------------------------------------------------------


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
    rig.protocol.submit(request())
    first = claim(rig)
    assert first is not None
    rig.protocol.silence("J", Run(**{**first.run.to_json(), "logs": ["one"]}))
    rig.clock.now += 1

    second = claim(rig)

    assert second is not None
    assert second.run.logs == ["one"]
    assert second.run.started == first.run.started


# -- the end -------------------------------------------------------------------------------


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


class Interleaved(MemoryStore):
    """A store on which something happens, once, just before one key is added or read."""

    def __init__(self, operation: str, happening: Callable[[], object]) -> None:
        super().__init__()
        self._operation, self._happening = operation, happening

    def _before(self, operation: str) -> None:
        if operation == self._operation:
            self._operation = ""
            self._happening()

    def add(self, key: str, value: Json) -> bool:
        self._before(f"add {key}")
        return super().add(key, value)

    def get(self, key: str) -> Json | None:
        self._before(f"get {key}")
        return super().get(key)


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


# -- tick ----------------------------------------------------------------------------------


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


# -- reading -------------------------------------------------------------------------------


def test_a_run_is_read_as_it_goes_along(rig: Rig) -> None:
    assert state(rig) is None
    rig.protocol.submit(request())
    assert state(rig) is State.QUEUED
    claim(rig)
    assert state(rig) is State.STARTED
    rig.protocol.end("J", Ending(State.SUCCEEDED, result=1))
    assert state(rig) is State.SUCCEEDED
    purge(rig.protocol, older_than=-1)
    assert state(rig) is State.SUCCEEDED  # from the archive


def test_a_run_marked_never_to_start_still_reads_as_queued(rig: Rig) -> None:
    rig.protocol.submit(request())
    rig.store.add("run:J:1", Run(never=State.REVOKED).to_json())

    assert state(rig) is State.QUEUED


def test_a_listing_holds_live_and_archived_runs_once_each_in_pages(rig: Rig) -> None:
    for n in range(6):
        rig.clock.now += 1
        rig.protocol.submit(request(f"r{n}", created=rig.clock.now, owner="o"))
    for n in (0, 3, 4):
        rig.protocol.revoke(f"r{n}")
    rig.store.put("live:r4", {"id": "r4", "task": "t", "owner": "o", "created": 0, "deadline": 0})

    def page(after: tuple[float, str] | None) -> list[str]:
        found = listing(rig.protocol, task="t", owner="o", after=after, limit=4)
        return [reading.id for reading in found]

    assert page(None) == ["r5", "r4", "r3", "r2"]
    third = read(rig.protocol, "r2")
    assert third is not None
    assert page(third.position) == ["r1", "r0"]


def test_a_listing_can_be_narrowed_to_states(rig: Rig) -> None:
    rig.protocol.submit(request("a"))
    rig.protocol.submit(request("b"))
    rig.protocol.revoke("b")
    rig.protocol.submit(request("c", task="another"))

    def ids(*states: State) -> list[str]:
        return [reading.id for reading in listing(rig.protocol, task="t", states=states)]

    assert ids(State.QUEUED) == ["a"]
    assert ids(State.REVOKED) == ["b"]
    assert ids(State.STARTED) == []
    assert ids() == ["b", "a"]
