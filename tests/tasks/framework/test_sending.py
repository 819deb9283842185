"""The options of one sending."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tasks.framework import RunUnfinished, State, UnknownRun, current
from tasks.framework.sending import SendOptions
from tasks.framework.tick import tick
from tests.tasks.framework.bodies import declared
from tests.tasks.framework.rig import Rig

HEARD: list[str] = []


def note(*words: str) -> str:
    HEARD.append(" ".join(words))
    return "noted"


def test_a_run_with_a_countdown_is_scheduled_until_it_is_due(rig: Rig) -> None:
    with declared(lambda: 1) as task:
        result = task.apply_async(countdown=100, expires=10)
        rig.deliver_all()
        assert result.state == "scheduled"
        rig.clock.now += 99
        tick(rig.protocol)
        assert result.state == "scheduled"
        rig.clock.now += 6
        tick(rig.protocol)  # a backend that cannot hold a message gets it from the tick
        assert result.state == "queued"
        rig.deliver_all()

    assert result.get(1) == 1


def test_an_eta_is_a_moment_in_any_time_zone(rig: Rig) -> None:
    moment = datetime.fromtimestamp(rig.clock.now, UTC) + timedelta(seconds=50)
    with declared(lambda: 1) as task:
        result = task.apply_async(eta=moment.astimezone(timezone(timedelta(hours=5))))
        assert result.state == "scheduled"
        rig.clock.now += 50
        assert result.state == "queued"


def test_an_eta_in_the_past_is_now(rig: Rig) -> None:
    with declared(lambda: 1) as task:
        result = task.apply_async(eta=datetime(1970, 1, 1, tzinfo=UTC))
        rig.deliver_all()
    assert result.get(1) == 1


def test_what_cannot_be_meant_is_refused(rig: Rig) -> None:
    with declared(lambda: 1) as task:
        with pytest.raises(ValueError, match="one of them"):
            task.apply_async(countdown=1, eta=datetime.now(UTC))
        with pytest.raises(ValueError, match="no time zone"):
            task.apply_async(eta=datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point
        with pytest.raises(ValueError, match="limit"):
            task.apply_async(retry=-1)


def test_a_waiting_run_that_is_revoked_before_it_is_due_never_starts(rig: Rig) -> None:
    with declared(lambda: 1) as task:
        result = task.apply_async(countdown=100)
        assert result.revoke()
        rig.clock.now += 200
        rig.let_time_pass()
    assert result.state is State.REVOKED


def test_headers_travel_to_the_body(rig: Rig) -> None:
    with declared(lambda: current.headers) as task:
        result = task.apply_async(headers={"trace": "abc"})
        rig.deliver_all()
    assert result.get(1) == {"trace": "abc"}
    assert current.headers == {}


def test_link_error_follows_what_did_not_end_well_and_only_that(rig: Rig) -> None:
    HEARD.clear()

    with declared(note) as noting:
        options: SendOptions = {"link": noting.s("ended"), "link_error": noting.s("badly")}
        noting.apply_async(("well",), **options)
        rig.deliver_all()
        revoked = noting.apply_async(("never",), **options)
        revoked.revoke()
        rig.deliver_all()

    ended = [words.split()[-1] for words in HEARD]
    assert sorted(ended) == ["badly", "ended", "ended", "well"]


def test_a_run_that_has_ended_can_be_sent_again_as_a_new_one(rig: Rig) -> None:
    with declared(lambda x: [x, current.headers]) as task:
        result = task.apply_async((1,), owner="o", expires=5, headers={"h": 1})
        with pytest.raises(RunUnfinished):
            result.retry()
        rig.clock.now += 10
        rig.deliver_all()
        assert result.state is State.EXPIRED
        again = result.retry()
        rig.deliver_all()

    assert again.id != result.id
    assert again.get(1) == [1, {"h": 1}]
    assert again.read().owner == "o"
    assert result.state is State.EXPIRED


def test_a_run_that_was_forgotten_is_unknown_and_leaves_nothing(rig: Rig) -> None:
    with declared(lambda: 1) as task:
        result = task.delay()
        with pytest.raises(RunUnfinished):
            result.forget()
        rig.deliver_all()
        result.forget()
    with pytest.raises(UnknownRun):
        result.read()
    rig.let_time_pass()
    assert list(rig.store.scan("")) == []


def test_a_follower_goes_by_the_time_limits_that_its_task_declares(rig: Rig) -> None:
    with declared(note, timeout=7, expires=5) as noting:
        first = noting.apply_async(("first",), link=noting.s("after"), expires=1000, timeout=1)
        rig.deliver_all()
        follower = rig.protocol.archive.get(f"{first.id}.link")
        assert follower is not None
        assert (follower.timeout, follower.expires) == (7, 5)
