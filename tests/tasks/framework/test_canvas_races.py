"""Chains and groups while processes die between any two writes, or come in between each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tasks.framework import AsyncResult, Protocol, State, chain, group
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.execute import execute
from tasks.framework.plan import revoke
from tasks.framework.records import Final
from tasks.framework.signals import succeeded
from tasks.framework.stores import Json
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.stores.sqlite import SqliteStore
from tasks.framework.tick import tick
from tests.tasks.framework.canvas_bodies import RAN, add, deliver, tell, total, waiting
from tests.tasks.framework.rig import Interleaved, Rig, state
from tests.tasks.framework.test_crashes import dies_in

Act = Callable[[Rig], object]


class Interruptible(MemoryStore):
    """A store on which something happens just before its n-th operation from now."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 0
        self._happening: list[Callable[[], object]] = []

    def arm(self, operations: int, happening: Callable[[], object]) -> None:
        self._left, self._happening = operations, [happening]

    def _before(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._happening.pop()()

    def disarm(self) -> bool:
        """Say whether it has happened; if not, it never will."""
        happened = not self._happening
        self._happening, self._left = [], 0
        return happened

    def add(self, key: str, value: Json) -> bool:
        self._before()
        return super().add(key, value)

    def put(self, key: str, value: Json) -> None:
        self._before()
        super().put(key, value)

    def get(self, key: str) -> Json | None:
        self._before()
        return super().get(key)


def at_every_operation_of(step: Act, *, after: Act, happens: Act) -> Iterator[Rig]:
    """Do a step over and over; another thing happens at its first operation, its second, ..."""
    for n in range(1, 1000):
        RAN.clear()
        store = Interruptible()
        with Rig(store=store).configured() as rig:
            after(rig)
            store.arm(n, partial(happens, rig))
            step(rig)
            if not store.disarm():
                assert n > 15, "the step is not what it was"
                return
            rig.deliver_all()
            yield rig
            rig.let_time_pass()
            assert rig.left() == []
    raise AssertionError("a step without end")


def doing(step: Callable[[], object], _protocol: Protocol) -> None:
    """Do a step in whatever process this is."""
    step()


def send_everything() -> AsyncResult[Any]:
    """Send a chain with a group in it with a chain in it."""
    parts = add.s(1), group(add.s(10), chain(add.s(20), add.s(1))), total.s()
    return chain(*parts).apply_async(task_id="C", link=tell.s())


def send_two(rig: Rig) -> None:
    """Send a group of two, and its members on their way."""
    group(add.s(1), add.s(2)).apply_async(task_id="G", link=tell.s())
    deliver(rig, "G")


def send_steps(rig: Rig) -> None:
    """Send a chain of two, the first of which has ended."""
    chain(add.s(1), add.s(2)).apply_async(task_id="C")
    deliver(rig, "C")
    deliver(rig, "C.0")


@pytest.fixture(params=["memory", "sqlite"])
def deaths(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[int, Rig]]:
    """Number the writes before which a process may die, and give each a world of its own."""
    on_file = request.param == "sqlite"
    return _deaths(tmp_path, on_file=on_file)


def _deaths(tmp_path: Path, *, on_file: bool) -> Iterator[tuple[int, Rig]]:
    for writes in [*range(10), *range(10, 1000, 7 if on_file else 1)]:
        RAN.clear()
        path = tmp_path / f"{writes}.db"
        rig = Rig(store=SqliteStore(path), archive=SqliteArchive(path)) if on_file else Rig()
        with rig.configured():
            yield writes, rig


def test_whatever_dies_a_chain_with_a_group_in_it_ends_well(
    deaths: Iterator[tuple[int, Rig]],
) -> None:
    for writes, rig in deaths:
        result = send_everything()
        if not dies_in(rig, writes, partial(doing, rig.deliver_all)):
            break
        rig.let_time_pass()

        assert result.get(0) == 35, f"died before write {writes}"
        assert AsyncResult[Any]("C.link").get(0)["given"] == "C"
        assert rig.left() == []
        assert len(RAN) <= len(set(RAN)) + 1, "only what died is carried out again"
    assert writes > 100


def test_a_sender_that_dies_has_sent_the_whole_chain_or_nothing(
    deaths: Iterator[tuple[int, Rig]],
) -> None:
    for writes, rig in deaths:
        died = dies_in(rig, writes, partial(doing, send_everything))
        rig.let_time_pass()
        assert state(rig, "C") is (State.SUCCEEDED if writes else None)
        assert rig.left() == []
        if not died:
            break
    assert writes == 3  # job, live, call


def test_a_group_is_revoked_as_a_whole_even_if_the_revoker_dies(
    deaths: Iterator[tuple[int, Rig]],
) -> None:
    for writes, rig in deaths:
        send_two(rig)
        result = AsyncResult[Any]("G")
        died = dies_in(rig, writes, partial(doing, result.revoke))
        rig.let_time_pass()

        asked = writes > 1  # the second write is the stop
        assert result.state is (State.REVOKED if asked else State.SUCCEEDED)
        assert all(child.ready() for child in result.children)
        assert rig.left() == []
        if not died:
            break
    assert [child.state for child in result.children] == [State.REVOKED] * 2
    assert writes > 5


def test_a_group_joins_once_when_its_last_two_members_end_at_the_same_moment() -> None:
    heard: list[str] = []

    def hear(final: Final) -> None:
        heard.append(final.id)

    def one_ends(rig: Rig) -> None:
        deliver(rig, "G.0")
        deliver(rig, "G.0.link")

    def the_other_ends(rig: Rig) -> None:
        deliver(rig, "G.1")
        deliver(rig, "G.1.link")

    with succeeded.connected_to(hear):
        for _ in at_every_operation_of(one_ends, after=send_two, happens=the_other_ends):
            assert AsyncResult[Any]("G").get(0) == [2, 3]
            assert sorted(RAN) == ["G.0", "G.1", "G.link"]
            assert heard.count("G") == 1
            heard.clear()


def test_members_that_end_while_the_group_is_being_sent_are_joined() -> None:
    def send(rig: Rig) -> None:
        group(add.s(n, 0) for n in range(3)).apply_async(task_id="G")

    def deliver_the_rest(rig: Rig) -> None:
        for run_id in [each for each in waiting(rig) if each != "G"]:
            deliver(rig, run_id)

    group_run = lambda rig: deliver(rig, "G")  # noqa: E731
    for _ in at_every_operation_of(group_run, after=send, happens=deliver_the_rest):
        assert AsyncResult[Any]("G").get(0) == [0, 1, 2]
        assert sorted(RAN) == ["G.0", "G.1", "G.2"]


def test_no_step_runs_once_its_chain_was_revoked() -> None:
    heard: list[bool] = []

    def is_revoked(rig: Rig) -> None:
        heard.append(revoke(rig.protocol, "C"))

    link = lambda rig: deliver(rig, "C.0.link")  # noqa: E731
    for rig in at_every_operation_of(link, after=send_steps, happens=is_revoked):
        assert heard.pop() is True
        assert state(rig, "C") is State.REVOKED
        assert state(rig, "C.1") in {None, State.REVOKED}
        assert RAN == ["C.0"]


def test_no_member_runs_once_its_group_was_revoked_however_early() -> None:
    def send(rig: Rig) -> None:
        group(add.s(1), add.s(2)).apply_async(task_id="G")

    def is_revoked(rig: Rig) -> None:
        revoke(rig.protocol, "G")

    group_run = lambda rig: deliver(rig, "G")  # noqa: E731
    for rig in at_every_operation_of(group_run, after=send, happens=is_revoked):
        assert state(rig, "G") is State.REVOKED
        assert {state(rig, "G.0"), state(rig, "G.1")} <= {None, State.REVOKED}
        assert RAN == []


def test_a_chain_whose_link_is_lost_for_good_sees_for_itself() -> None:
    with Rig().configured() as rig:
        send_steps(rig)
        AsyncResult[Any]("C.0.link").revoke()  # as if it had failed in every attempt
        rig.deliver_all()
        assert state(rig, "C.1") is None
        rig.let_time_pass(8)
        assert AsyncResult[Any]("C").get(0) == 4
        assert rig.left() == []


def test_a_step_whose_sender_died_while_its_chain_was_revoked_is_stopped_later() -> None:
    def by_another_process() -> None:
        revoke(rig.protocol, "C")

    with Rig(store=Interleaved("add job:C.1", by_another_process)).configured() as rig:
        send_steps(rig)
        message = next(each for each in rig.backend.waiting.values() if each["id"] == "C.0.link")
        assert dies_in(rig, 2, partial(doing, partial(execute, message)))  # after run, job
        assert [state(rig, "C"), state(rig, "C.1")] == [State.REVOKED, State.QUEUED]

        rig.backend.lose_all()
        rig.clock.now += 10
        tick(rig.protocol)
        deliver(rig, "C.0.link")
        assert state(rig, "C.1") is State.REVOKED


def test_a_link_sends_nothing_without_knowing_the_result_before() -> None:
    with Rig().configured() as rig:
        send_steps(rig)
        deliver(rig, "C.0.link")
        deliver(rig, "C.1")
        AsyncResult[Any]("C.1").forget()
        RAN.clear()
        rig.deliver_all()
        assert RAN == []
