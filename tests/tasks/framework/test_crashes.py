"""A process may die between any two of its writes: what it left is repaired, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.framework import Protocol, State
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.execute import execute
from tasks.framework.reading import read
from tasks.framework.records import Job
from tasks.framework.runtime import Runtime, configure
from tasks.framework.stores import Json, Store
from tasks.framework.stores.sqlite import SqliteStore
from tasks.framework.task import Options, Task, registry
from tasks.framework.tick import tick
from tests.tasks.framework.rig import Rig, request


class Died(BaseException):
    """The process is gone; no code of ours may catch this."""


class MortalStore:
    """A store whose process dies before its n-th write."""

    def __init__(self, store: Store, writes: int) -> None:
        self._store, self._left = store, writes

    def _write(self) -> None:
        if self._left == 0:
            raise Died
        self._left -= 1

    def add(self, key: str, value: Json) -> bool:
        self._write()
        return self._store.add(key, value)

    def put(self, key: str, value: Json) -> None:
        self._write()
        self._store.put(key, value)

    def delete(self, *keys: str, if_value: Json | None = None) -> None:
        for key in keys:  # one by one: not every store can do it at once
            self._write()
            self._store.delete(key, if_value=if_value)

    def get(self, key: str) -> Json | None:
        return self._store.get(key)

    def scan(self, prefix: str) -> Iterator[tuple[str, Json]]:
        return self._store.scan(prefix)


RAN: list[str] = []


def body() -> str:
    RAN.append("ran")
    return "done"


def linked(run_id: str) -> None:
    RAN.append(f"linked {run_id}")


@pytest.fixture(params=["memory", "sqlite"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    RAN.clear()
    registry["t"] = Task(body, Options(name="t"))
    registry["hook"] = Task(linked, Options(name="hook"))
    rig = Rig()
    if request.param == "sqlite":
        path = tmp_path / "tasks.db"
        rig = Rig(store=SqliteStore(path), archive=SqliteArchive(path))
    with rig.configured():
        yield rig
    del registry["t"], registry["hook"]


def dies_in(rig: Rig, writes: int, step: Callable[[Protocol], object]) -> bool:
    """Do a step in a process that dies before its n-th write; False when it lived through it."""
    protocol = rig.protocol_on(MortalStore(rig.store, writes))
    configure(Runtime(protocol))
    try:
        step(protocol)
    except Died:
        return True
    finally:
        configure(rig.runtime)
    return False


def submission(number: int) -> Job:
    return request(f"J{number}", owner=f"o{number}", link={"task": "hook"})


def submits(number: int) -> Callable[[Protocol], object]:
    return lambda protocol: protocol.submit(submission(number), limit=1)


def delivers(message: Json) -> Callable[[Protocol], object]:
    return lambda protocol: execute(message)


def revokes(run_id: str) -> Callable[[Protocol], object]:
    return lambda protocol: protocol.revoke(run_id)


def assert_settled(rig: Rig, run_id: str, *states: State) -> None:
    rig.let_time_pass()
    reading = read(rig.protocol, run_id)
    assert reading is not None
    assert reading.state in states
    assert rig.left() == []
    assert RAN.count(f"linked {run_id}") == 1


def test_a_submission_that_died_is_repaired_and_never_blocks_its_owner(world: Rig) -> None:
    deaths = 0
    while dies_in(world, deaths, submits(deaths)):
        world.let_time_pass()
        assert world.left() == [], f"died before write {deaths}"
        another = request(f"K{deaths}", owner=f"o{deaths}")
        world.protocol.submit(another, limit=1)
        world.let_time_pass()
        deaths += 1

    assert deaths == 4  # slot, job, live, call


def test_a_retry_of_a_submission_that_died_is_the_same_run(world: Rig) -> None:
    deaths = 0
    while dies_in(world, deaths, submits(deaths)):
        run_id = world.protocol.submit(submission(deaths), limit=1)
        assert run_id == f"J{deaths}"
        assert_settled(world, run_id, State.SUCCEEDED)
        deaths += 1

    assert deaths == 4


def test_a_worker_that_died_at_any_write_leaves_a_run_that_ends_by_itself(world: Rig) -> None:
    for number in range(100):
        RAN.clear()
        run_id = world.protocol.submit(submission(number), limit=1)
        message = world.backend.waiting.popitem()[1]
        if not dies_in(world, number, delivers(message)):
            break
        assert_settled(world, run_id, State.SUCCEEDED)
        assert RAN.count("ran") <= 2

    assert number >= 8


def test_a_revoker_that_died_at_any_write_leaves_a_run_that_ends_by_itself(world: Rig) -> None:
    for number, start in ((n, start) for n in range(20) for start in (False, True)):
        RAN.clear()
        run_id = world.protocol.submit(submission(number * 2 + start), limit=1)
        if start:
            world.backend.lose_all()
            world.protocol.claim(run_id, worker="w", wait=lambda: None)
        dies_in(world, number, revokes(run_id))
        assert_settled(world, run_id, State.SUCCEEDED, State.REVOKED)


def test_a_tick_that_died_at_any_write_is_made_good_by_the_next(world: Rig) -> None:
    for number in range(40):
        lost, late = f"L{number}", f"E{number}"
        world.protocol.submit(request(lost, owner="o", link={"task": "hook"}), limit=2)
        world.protocol.claim(lost, worker="w", wait=lambda: None)
        deadline = world.clock.now + 5
        job = request(late, owner="o", deadline=deadline, link={"task": "hook"})
        world.protocol.submit(job, limit=2)
        world.backend.lose_all()
        world.clock.now += 10
        dies_in(world, number, tick)
        assert_settled(world, lost, State.SUCCEEDED)
        assert_settled(world, late, State.EXPIRED)
