"""What every backend promises: the same task, sent, ends the same way."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tasks.framework import (
    AsyncResult,
    Protocol,
    RunExpired,
    RunFailed,
    Runtime,
    State,
    chain,
    configure,
    group,
    runtime,
)
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.backends.eager import EagerBackend
from tasks.framework.backends.process import recover
from tasks.framework.backends.supervisor import Supervisor
from tasks.framework.reading import read
from tasks.framework.records import Job
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.task import pool_of
from tests.modal_stand_in import contract_app
from tests.tasks.framework import local_app
from tests.tasks.framework.local_app import add, describe, divide, follow
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def eager(path: Path) -> Iterator[None]:
    backend = EagerBackend()
    configure(Runtime(Protocol(MemoryStore(), MemoryArchive(), backend, time.time, pool_of)))
    yield
    configure(None)


@contextmanager
def local(path: Path) -> Iterator[None]:
    backend = local_app.open_backend(path)
    command = [sys.executable, "-m", local_app.__name__, str(path)]
    with Supervisor(
        {"cpu": 1},
        lambda pool, name: [*command, pool, name],
        lambda name: recover(backend, name),
    ):
        yield
    configure(None)


@contextmanager
def on_modal(path: Path) -> Iterator[None]:
    with contract_app(path):
        yield


BACKENDS = {"eager": eager, "local": local, "modal": on_modal}
SLOW = pytest.param("modal", marks=[pytest.mark.live, pytest.mark.slow])


@pytest.fixture(params=["eager", "local", SLOW], scope="module")
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as place:
        place.chdir(ROOT)  # where worker processes find the tests' own modules
        with BACKENDS[request.param](tmp_path_factory.mktemp("backend")):
            yield request.param


def test_a_sent_task_gives_its_result(backend: str) -> None:
    assert add.delay(1, 2).get(30) == 3


def test_many_are_each_carried_out(backend: str) -> None:
    assert [result.get(30) for result in [add.delay(n, n) for n in range(20)]] == list(
        range(0, 40, 2)
    )


def test_arguments_arrive_as_json_makes_them(backend: str) -> None:
    sent = {"tuple": (1, 2), "float": 1.5, "none": None, "text": "ünï", "deep": [[[{"a": []}]]]}
    expected = {**sent, "tuple": [1, 2]}
    assert describe.delay(sent).get(30) == expected


def test_an_error_keeps_its_type_message_and_traceback(backend: str) -> None:
    with pytest.raises(RunFailed) as caught:
        divide.delay(1, 0).get(30)
    assert caught.value.type == "ZeroDivisionError"
    assert "in divide" in caught.value.traceback


def test_a_run_that_may_not_start_any_more_expires(backend: str) -> None:
    result = add.apply_async((1, 2), expires=0)
    with pytest.raises(RunExpired):
        result.get(30)


def test_the_same_id_is_carried_out_once(backend: str) -> None:
    first = add.apply_async((1, 2), task_id=f"same-{backend}")
    second = add.apply_async((1, 2), task_id=f"same-{backend}")
    assert (first.get(30), second.get(30)) == (3, 3)
    assert first.id == second.id


def test_a_link_follows_with_the_id_of_what_ended(backend: str) -> None:
    result = add.apply_async((1, 2), link=follow.s("and more"))
    result.get(30)
    linked = AsyncResult[str](f"{result.id}.link")
    eventually(partial(_has_ended, linked.id))
    assert linked.read().result == f"{result.id}: and more"


def test_the_attempt_and_the_times_are_recorded(backend: str) -> None:
    result = add.delay(1, 2)
    result.get(30)
    reading = result.read()
    assert reading.state is State.SUCCEEDED
    assert reading.started is not None
    assert reading.ended is not None
    assert reading.created <= reading.started <= reading.ended


def test_a_call_that_is_over_or_unknown_is_not_alive_and_cancelling_it_does_no_harm(
    backend: str,
) -> None:
    result = add.delay(1, 2)
    result.get(30)
    for call in ("1", "no-such-call"):
        eventually(partial(_is_over, call))
        runtime().protocol.backend.cancel(call)
    assert result.state is State.SUCCEEDED


def test_a_task_that_the_worker_does_not_know_fails_and_says_so(backend: str) -> None:
    nobodys = Job(id=f"nobodys-{backend}", task="no.such.task", created=time.time())
    runtime().protocol.submit(nobodys)
    with pytest.raises(RunFailed, match="import the module that declares it"):
        AsyncResult[None](nobodys.id).get(30)


def test_a_chain_gives_each_call_the_result_of_the_one_before(backend: str) -> None:
    assert chain(add.s(1, 2), add.s(10), add.s(100)).delay().get(30) == 113


def test_a_group_in_a_chain_is_joined(backend: str) -> None:
    parts = group(add.s(n, n) | add.s(1) for n in range(8))
    result = (parts | describe.s()).delay()
    assert result.get(30) == [2 * n + 1 for n in range(8)]


def test_a_step_that_fails_ends_its_chain_and_is_named(backend: str) -> None:
    result = chain(add.s(1, 2), divide.s(0), describe.s()).delay()
    with pytest.raises(RunFailed, match=r"step 2 of 3, divide .* ZeroDivisionError") as caught:
        result.get(30)
    assert caught.value.type == "StepFailed"
    assert [child.id for child in result.children] == [f"{result.id}.0", f"{result.id}.1"]


def _has_ended(run_id: str) -> bool:
    reading = read(runtime().protocol, run_id)
    return reading is not None and reading.state.final


def _is_over(call: str) -> bool:
    return not runtime().protocol.backend.alive(call)
