"""The store that the guide shows keeps what every store promises."""

from __future__ import annotations

import inspect
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import pytest

from tasks.framework.stores import Store
from tests.contract import test_stores
from tests.docs.guide import section

PROMISES = {name: each for name, each in vars(test_stores).items() if name.startswith("test_")}
ROUNDS = 50


def open_store(path: Path) -> Store:
    names: dict[str, Any] = {"__name__": "guide"}
    exec(section("Your own store").blocks[0].code, names)
    store: Store = names["DirectoryStore"](path / "records")
    return store


@pytest.mark.parametrize("name", PROMISES)
def test_it_keeps_every_promise(name: str, tmp_path: Path) -> None:
    promise: Callable[..., None] = PROMISES[name]
    at_hand = {"store": open_store(tmp_path), "tmp_path": tmp_path}
    promise(**{each: at_hand[each] for each in inspect.signature(promise).parameters})


def test_the_suite_is_there() -> None:
    assert len(PROMISES) >= 12


def test_it_fits_on_a_screen() -> None:
    code = section("Your own store").blocks[0].code
    assert len([line for line in code.splitlines() if line.strip()]) <= 65


def test_a_reader_finds_the_old_record_or_the_new_one(tmp_path: Path) -> None:
    store, over = open_store(tmp_path), threading.Event()
    whole = [{"text": letter * 200_000} for letter in "ab"]
    store.put("a:1", whole[0])
    seen = []

    def look() -> None:
        while not over.is_set():
            seen.append(store.get("a:1") in whole)

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        for n in range(100):
            store.put("a:1", whole[n % 2])
        over.set()
        looking.result()
    assert all(seen)


def compete(path: Path, who: int, won: Queue[tuple[int, int]]) -> None:
    store = open_store(path)
    for n in range(ROUNDS):
        if store.add(f"a:{n}", {"who": who}):
            won.put((n, who))
    won.put((-1, who))


def test_of_many_processes_that_add_exactly_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    won: Queue[tuple[int, int]] = context.Queue()
    processes = [context.Process(target=compete, args=(tmp_path, n, won)) for n in range(4)]
    for each in processes:
        each.start()
    winners: list[tuple[int, int]] = []
    over = 0
    while over < len(processes):
        n, who = won.get(timeout=60)
        over += n < 0
        winners += [(n, who)] if n >= 0 else []
    for each in processes:
        each.join()

    assert sorted(n for n, _ in winners) == list(range(ROUNDS))
    store = open_store(tmp_path)
    kept = {key: value["who"] for key, value in store.scan("a:")}
    assert {f"a:{n}": who for n, who in winners} == kept
