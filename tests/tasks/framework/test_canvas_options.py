"""What can be set on a call in a chain or group, and what happens when one is revoked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.framework import AsyncResult, Retry, State, chain, group
from tests.tasks.framework.canvas_bodies import RAN, add, deliver, fail, flaky, tell, waiting
from tests.tasks.framework.rig import Rig, state


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    RAN.clear()


def test_set_gives_a_copy_and_later_options_win() -> None:
    call = add.s(1)
    changed = call.set(owner="ana", expires=5).set(owner="bob", expires=None)
    assert call.options == {}
    assert changed.options == {"owner": "bob", "expires": None}


def test_the_options_of_a_call_go_with_it(rig: Rig) -> None:
    options = tell.s().set(owner="ana", headers={"trace": "7"}, timeout=3, retry=Retry(limit=1))
    alone = options.apply_async(task_id="T", owner="bob")
    chained = chain(add.s(1), options).apply_async(task_id="C")
    rig.deliver_all()

    for result, owner in ((alone, "bob"), (AsyncResult[Any]("C.1"), "ana")):
        final = rig.protocol.final(result.id)
        assert final is not None
        assert (final.owner, final.timeout) == (owner, 3)
        assert final.retry is not None
        assert final.retry["limit"] == 1
    assert chained.get(0) == {"given": 2, "word": "", "headers": {"trace": "7"}}


def test_a_steps_countdown_and_expiry_begin_when_it_is_its_turn(rig: Rig) -> None:
    later = add.s(1).set(countdown=20, expires=10)
    chain(add.s(1).set(countdown=30), later, later).apply_async(task_id="C")
    rig.deliver_all()
    assert state(rig, "C.0") is State.SCHEDULED
    for index, wait in ((0, 30), (1, 20), (2, 20)):
        job = rig.protocol.job(f"C.{index}")
        assert job is not None
        assert job.due == rig.clock.now + wait
        assert job.deadline == (job.due + 10 if index else None)
        rig.clock.now = job.due
        rig.protocol.spawn(job, job.due)
        rig.deliver_all()
    assert AsyncResult[int]("C").get(0) == 4


def test_a_steps_eta_is_the_same_whenever_its_turn_comes(rig: Rig) -> None:
    moment = datetime.fromtimestamp(rig.clock.now + 100, UTC)
    chain(add.s(1), add.s(1).set(eta=moment)).apply_async(task_id="C")
    rig.deliver_all()
    job = rig.protocol.job("C.1")
    assert job is not None
    assert job.due == moment.timestamp()


@pytest.mark.parametrize("options", [{"task_id": "x"}, {"limit": 1}, {"link": add.s()}])
def test_what_belongs_to_the_whole_cannot_be_set_on_a_part(options: Any) -> None:
    for make in (chain, group):
        with pytest.raises(ValueError, match=f"{next(iter(options))} cannot be set on a member"):
            make(add.s(1), add.s(1).set(**options))


@pytest.mark.parametrize("options", [{"timeout": 5}, {"retry": 2}])
def test_what_belongs_to_the_parts_cannot_be_set_on_the_whole(rig: Rig, options: Any) -> None:
    two = chain(add.s(1), add.s(1))
    with pytest.raises(ValueError, match=f"{next(iter(options))} cannot be set on a chain"):
        two.apply_async(**options)
    with pytest.raises(ValueError, match="set it on its members"):
        group(two.set(**options))
    assert rig.left() == []


def test_a_step_is_tried_again_by_its_own_policy(rig: Rig) -> None:
    result = chain(add.s(1), flaky.s(), add.s(1)).delay()
    rig.deliver_all()
    assert not result.ready()
    rig.let_time_pass()
    assert result.get(0) == 3


def test_a_chain_can_be_a_link_and_so_can_a_call_with_options(rig: Rig) -> None:
    add.apply_async((1,), task_id="A", link=tell.s("x") | tell.s("y"))
    add.apply_async((1,), task_id="B", link=tell.s("x").set(owner="ana"))
    add.apply_async((1,), task_id="I", link=tell.si("only this"))
    rig.deliver_all()

    assert AsyncResult[Any]("A.link").get(0)["given"]["given"] == "A"
    assert AsyncResult[Any]("B.link.0").read().owner == "ana"
    assert AsyncResult[Any]("I.link").get(0)["given"] == "only this"


def test_the_links_of_a_chain_are_given_its_id(rig: Rig) -> None:
    chain(add.s(1)).apply_async(task_id="C", link=tell.s("l"), link_error=tell.s("e"))
    chain(fail.s(1)).apply_async(task_id="F", link=tell.s("l"), link_error=tell.s("e"))
    rig.deliver_all()

    for run_id, ended in (("C.link", "C"), ("F.link", "F"), ("F.error.link", "F")):
        assert AsyncResult[Any](run_id).get(0)["given"] == ended
    assert state(rig, "C.error.link") is None


def test_a_revoked_chain_stops_its_step_and_sends_no_other(rig: Rig) -> None:
    result = chain(add.s(1), add.s(2), add.s(3)).apply_async(task_id="C")
    for run_id in ("C", "C.0", "C.0.link"):
        deliver(rig, run_id)
    assert waiting(rig) == ["C.1"]

    assert result.revoke()
    assert result.state is State.REVOKED
    rig.deliver_all()
    assert [state(rig, f"C.{n}") for n in range(3)] == [State.SUCCEEDED, State.REVOKED, None]
    assert RAN == ["C.0"]
    assert rig.left() == []


def test_a_revoked_chain_whose_step_has_ended_sends_no_other(rig: Rig) -> None:
    result = chain(add.s(1), add.s(2)).apply_async(task_id="C")
    for run_id in ("C", "C.0"):
        deliver(rig, run_id)
    result.revoke()
    rig.deliver_all()
    assert state(rig, "C.1") is None


def test_a_revoked_group_stops_its_members_down_to_the_last_chain(rig: Rig) -> None:
    result = group(add.s(1), chain(add.s(2), add.s(3)), add.s(4)).apply_async(task_id="G")
    for run_id in ("G", "G.0", "G.1"):
        deliver(rig, run_id)
    result.revoke()
    rig.deliver_all()

    assert [state(rig, f"G.{n}") for n in ("0", "1", "1.0", "1.1", "2")] == [
        State.SUCCEEDED,
        State.REVOKED,
        State.REVOKED,
        None,
        State.REVOKED,
    ]
    assert RAN == ["G.0"]
    assert rig.left() == []


def test_members_of_what_was_revoked_are_stopped_even_if_the_revoker_died(rig: Rig) -> None:
    group(add.s(1), add.s(2)).apply_async(task_id="G")
    deliver(rig, "G")
    rig.protocol.revoke("G")  # and goes no further
    deliver(rig, "G.error")
    assert [state(rig, f"G.{n}") for n in range(2)] == [State.REVOKED] * 2


def test_a_chain_that_is_revoked_before_it_starts_sends_nothing(rig: Rig) -> None:
    result = chain(add.s(1), add.s(2)).apply_async(task_id="C")
    result.revoke()
    rig.deliver_all()
    assert state(rig, "C.0") is None
    assert rig.left() == []


def test_a_chain_that_ended_leaves_no_delivery_behind(rig: Rig) -> None:
    result = chain(add.s(1), add.s(2)).apply_async(task_id="C")
    for run_id in ("C", "C.0", "C.0.link", "C.1"):
        deliver(rig, run_id)
    job = rig.protocol.job("C")
    assert job is not None
    rig.protocol.spawn(job, rig.clock.now)  # as a backend does that holds messages
    assert waiting(rig) == ["C.1.link", "C"]

    deliver(rig, "C.1.link")
    assert result.ready()
    assert waiting(rig) == []
