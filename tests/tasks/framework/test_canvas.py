"""Chains and groups: what they give, one delivery at a time and on the eager backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tasks.framework import (
    AsyncResult,
    IdTaken,
    LimitReached,
    NotSerializable,
    RunFailed,
    State,
    chain,
    configure,
    group,
)
from tasks.framework.backends.eager import eager_runtime
from tasks.framework.stores import Json
from tasks.framework.stores.memory import MemoryStore
from tests.tasks.framework.canvas_bodies import RAN, add, deliver, fail, tell, total, waiting
from tests.tasks.framework.rig import Rig, state


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    RAN.clear()


@pytest.fixture
def eager() -> Iterator[None]:
    configure(eager_runtime())
    yield
    configure(None)


def assert_cleared(rig: Rig) -> None:
    rig.deliver_all()
    assert rig.left() == []


def test_a_chain_gives_each_call_the_result_of_the_one_before(rig: Rig) -> None:
    result = chain(add.s(1), add.s(y=10), add.s(100)).delay()
    rig.deliver_all()

    assert result.get(0) == 112
    assert [f"{result.id}.{n}" for n in range(3)] == RAN
    assert_cleared(rig)


def test_an_immutable_call_is_not_given_what_came_before(rig: Rig) -> None:
    result = (add.s(1) | add.si(5) | add.s(10)).delay()
    rig.deliver_all()
    assert result.get(0) == 16


def test_a_group_gives_its_results_in_the_order_of_its_calls(rig: Rig) -> None:
    result = group(add.s(n, 0) for n in range(4)).apply_async(task_id="G")
    deliver(rig, "G")
    for n in (2, 0, 3, 1):
        deliver(rig, f"G.{n}")
        assert result.state is not State.SUCCEEDED
    rig.deliver_all()

    assert result.get(0) == [0, 1, 2, 3]
    assert_cleared(rig)


def test_members_that_end_before_the_slowest_cost_their_group_few_reads_each() -> None:
    class Counted(MemoryStore):
        reads = 0

        def get(self, key: str) -> Json | None:
            self.reads += 1
            return super().get(key)

    store = Counted()
    with Rig(store=store).configured() as rig:
        result = group(add.s(n, 0) for n in range(100)).apply_async(task_id="G")
        deliver(rig, "G")
        for n in [*range(60), *range(61, 100)]:
            deliver(rig, f"G.{n}")
        store.reads = 0
        for n in [*range(60), *range(61, 100)]:
            deliver(rig, f"G.{n}.link")
        assert store.reads < 99 * 30
        rig.deliver_all()
        assert result.get(0) == list(range(100))


def test_a_chain_or_group_is_known_from_the_moment_of_sending_to_the_end(rig: Rig) -> None:
    chain(add.s(1), group(add.s(1), add.s(2)), total.s()).apply_async(task_id="C")
    seen = [state(rig, "C")]
    while rig.backend.waiting:
        deliver(rig, waiting(rig)[0])
        seen.append(state(rig, "C"))

    assert [*dict.fromkeys(seen)] == [State.QUEUED, UNDER_WAY, State.SUCCEEDED]


UNDER_WAY = State.RETRYING


def test_a_group_in_a_chain_is_given_the_result_and_gives_its_list(eager: None) -> None:
    result = (add.s(1) | group(add.s(10), add.s(20)) | total.s(more=1000)).delay()
    assert result.get(1) == 12 + 22 + 1000


def test_a_chain_in_a_group_has_one_place_in_its_list(eager: None) -> None:
    assert group(add.s(1) | add.s(10), add.s(5)).delay().get(1) == [12, 6]


def test_a_chain_in_a_chain_is_the_same_as_one_chain() -> None:
    a, b, c = add.s(1), add.s(2), add.s(3)
    assert chain(a, b, c) == (a | b) | c == a | (b | c) == chain(chain(a), chain(b, c))


def test_groups_and_chains_nest_as_deep_as_one_likes(eager: None) -> None:
    inner = group(add.s(1) | add.s(1), group(add.s(2), add.s(3)))
    assert (add.s(0) | group(inner, add.s(4)) | tell.s()).delay().get(1)["given"] == [
        [3, [3, 4]],
        5,
    ]


def test_a_chain_that_is_sent_by_options_of_its_own_keeps_them_inside_another(rig: Rig) -> None:
    inner = chain(add.s(1), add.s(2)).set(owner="ana")
    result = chain(inner, add.s(3)).apply_async(task_id="C")
    rig.deliver_all()

    assert result.get(0) == 7
    assert AsyncResult[int]("C.0").read().owner == "ana"


def test_an_empty_group_has_an_empty_list_and_an_empty_chain_is_refused(eager: None) -> None:
    assert group().delay().get(1) == []
    with pytest.raises(ValueError, match="at least one call"):
        chain()


def test_a_chain_of_one_is_that_call(eager: None) -> None:
    assert chain(add.s(1)).delay().get(1) == 2


def test_a_step_that_fails_ends_its_chain_and_is_named(rig: Rig) -> None:
    result = chain(add.s(1), fail.s(), add.s(1)).apply_async(task_id="C")
    rig.deliver_all()

    with pytest.raises(RunFailed) as caught:
        result.get(0)
    assert caught.value.type == "StepFailed"
    assert caught.value.message == (
        "step 2 of 3, tests.canvas.fail (C.1), failed: ValueError: no 2"
    )
    assert caught.value.details == {"task": "tests.canvas.fail", "id": "C.1", "state": "failed"}
    assert 'raise ValueError(f"no {x}")' in caught.value.traceback
    assert RAN == ["C.0", "C.1"]
    assert state(rig, "C.2") is None
    assert_cleared(rig)


def test_a_group_fails_with_the_first_failure_by_index_when_all_have_ended(rig: Rig) -> None:
    result = group(add.s(0), fail.s(1), fail.s(2), add.s(3)).apply_async(task_id="G")
    deliver(rig, "G")
    for run_id in ("G.2", "G.2.link", "G.3", "G.3.link", "G.0", "G.0.link"):
        deliver(rig, run_id)
    assert not result.ready()
    rig.deliver_all()

    with pytest.raises(RunFailed, match=r"step 2 of 4, .* \(G\.1\), failed: ValueError: no 1"):
        result.get(0)
    assert sorted(RAN) == ["G.0", "G.1", "G.2", "G.3"]
    assert_cleared(rig)


def test_a_step_that_is_revoked_or_expires_fails_its_chain(rig: Rig) -> None:
    revoked = chain(add.s(1), add.s(1)).apply_async(task_id="R")
    expired = chain(add.s(1).set(expires=5), add.s(1)).apply_async(task_id="E")
    deliver(rig, "R")
    deliver(rig, "E")
    AsyncResult[int]("R.0").revoke()
    rig.clock.now += 5
    rig.deliver_all()

    with pytest.raises(RunFailed, match=r"step 1 of 2, tests.canvas.add \(R\.0\), was revoked$"):
        revoked.get(0)
    with pytest.raises(RunFailed, match=r"step 1 of 2, tests.canvas.add \(E\.0\), expired$"):
        expired.get(0)
    assert RAN == []


def test_a_failure_deep_inside_is_told_all_the_way(eager: None) -> None:
    result = chain(group(add.s(1) | fail.s()), total.s()).apply_async(task_id="C")
    with pytest.raises(RunFailed, match=r"\(C\.0\.0\.1\), failed: ValueError: no 2"):
        result.get(1)


def test_the_same_id_is_the_same_chain(rig: Rig) -> None:
    for _ in range(2):
        chain(add.s(1), add.s(2)).apply_async(task_id="C")
        rig.deliver_all()
    assert RAN == ["C.0", "C.1"]
    with pytest.raises(IdTaken):
        chain(add.s(1), add.s(3)).apply_async(task_id="C")


def test_an_owners_limit_holds_for_whole_chains(rig: Rig) -> None:
    two = chain(add.s(1), add.s(2))
    two.apply_async(owner="ana", limit=1)
    with pytest.raises(LimitReached):
        two.apply_async(owner="ana", limit=1)
    rig.deliver_all()
    two.apply_async(owner="ana", limit=1)


def test_an_argument_that_is_not_json_is_refused_where_the_chain_is_made() -> None:
    with pytest.raises(NotSerializable, match=r"args\[0\] is a set"):
        chain(add.s(1), add.s({1}))


def test_map_sends_one_call_per_item(eager: None) -> None:
    assert [result.get(1) for result in add.map([1, 2, 3])] == [2, 3, 4]


def test_the_children_of_a_canvas_are_the_members_sent_so_far(rig: Rig) -> None:
    steps: AsyncResult[Any] = chain(add.s(1), add.s(2)).apply_async(task_id="C")
    members = group(add.s(1), add.s(2)).apply_async(task_id="G")
    assert steps.children == []
    deliver(rig, "C")
    deliver(rig, "G")
    assert [child.id for child in steps.children] == ["C.0"]
    assert [child.id for child in members.children] == ["G.0", "G.1"]
    rig.deliver_all()
    assert [child.id for child in steps.children] == ["C.0", "C.1"]


def test_the_children_of_a_plain_run_are_its_links(rig: Rig) -> None:
    result = fail.apply_async(link=tell.s(), link_error=tell.s(), task_id="F")
    assert result.children == []
    rig.deliver_all()
    assert [child.id for child in result.children] == ["F.link", "F.error"]
