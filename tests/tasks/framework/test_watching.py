"""Waiting until records may have changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.framework.stores import Store
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.stores.sqlite import SqliteStore
from tasks.framework.watching import BLIND_SECONDS, Observable, Watch
from tests.tasks.framework.test_crashes import MortalStore

LONG = 30.0

CHANGES: dict[str, Callable[[Store], object]] = {
    "add": lambda store: store.add("a", {"x": 1}),
    "put": lambda store: store.put("b", {"x": 2}),
    "delete": lambda store: store.delete("b"),
}


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "tasks.db")
    store.put("b", {"x": 1})
    return store


def elapsed(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return time.monotonic() - began


def watchers() -> int:
    return sum(thread.name == "watch" for thread in threading.enumerate())


def nobody_looks() -> bool:
    for _ in range(200):  # a thread that is told to stop ends a moment later
        if not watchers():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_wakes_every_reader(store: Store, change: str) -> None:
    watch = Watch(store)
    with watch.watching() as one, watch.watching() as two:
        timer = threading.Timer(0.1, CHANGES[change], [store])
        timer.start()
        assert elapsed(lambda: one(LONG)) < LONG / 2
        assert elapsed(lambda: two(LONG)) < LONG / 2
        timer.join()


def test_a_change_behind_the_beginning_is_not_missed(store: Store) -> None:
    with Watch(store).watching() as wait:
        store.put("b", {"x": 3})
        assert elapsed(lambda: wait(LONG)) < LONG / 2


def test_another_process_of_sqlite_is_noticed(tmp_path: Path) -> None:
    here, there = (SqliteStore(tmp_path / "tasks.db") for _ in range(2))
    with Watch(here).watching() as wait:
        there.put("a", {"x": 1})
        assert elapsed(lambda: wait(LONG)) < LONG / 2


def test_without_a_change_the_time_passes(store: Store) -> None:
    with Watch(store).watching() as wait:
        assert elapsed(lambda: wait(0.3)) >= 0.3


def test_a_reader_is_not_woken_more_than_ten_times_a_second(store: Store) -> None:
    busy = threading.Event()

    def write() -> None:
        while not busy.wait(0.005):
            store.put("b", {"x": time.monotonic()})

    writer = threading.Thread(target=write)
    writer.start()
    with Watch(store).watching() as wait:
        wait(LONG)
        assert elapsed(lambda: [wait(LONG) for _ in range(3)]) >= 0.29
    busy.set()
    writer.join()


def test_nobody_looks_when_nobody_waits(store: Store) -> None:
    watch = Watch(store)
    assert nobody_looks()
    for _ in range(3):
        with watch.watching(), watch.watching():
            assert watchers() == 1
        assert nobody_looks()


def test_readers_of_a_store_that_cannot_tell_are_woken_now_and_then() -> None:
    store = MortalStore(MemoryStore(), writes=0)
    assert not isinstance(store, Observable)
    with Watch(store).watching() as wait:
        assert elapsed(lambda: wait(LONG)) >= BLIND_SECONDS / 2
