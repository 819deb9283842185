"""Declaring and sending tasks, on the eager backend."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tasks.framework import (
    AsyncResult,
    IdTaken,
    LimitReached,
    NotConfigured,
    NotSerializable,
    Protocol,
    ResultTimeout,
    RunExpired,
    RunFailed,
    Runtime,
    State,
    UnknownRun,
    configure,
    runtime,
    task,
)
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.backends.eager import EagerBackend
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.task import pool_of
from tests.tasks.framework.rig import Rig

HEARD: list[tuple[str, str]] = []


@task(name="tests.add")
def add(x: int, y: int = 1) -> int:
    """Add."""
    return x + y


@task(name="tests.fail")
def fail() -> None:
    raise ValueError("no")


@task(name="tests.follow")
def follow(run_id: str, word: str) -> None:
    HEARD.append((run_id, word))


@pytest.fixture
def eager() -> Iterator[Protocol]:
    protocol = Protocol(MemoryStore(), MemoryArchive(), EagerBackend(), time.time, pool_of)
    configure(Runtime(protocol))
    yield protocol
    configure(None)


def test_a_plain_call_runs_here_and_records_nothing(eager: Protocol) -> None:
    assert add(1, 2) == 3
    assert list(eager.store.scan("")) == []


def test_delay_sends_and_the_result_can_be_got(eager: Protocol) -> None:
    result = add.delay(1, y=2)

    assert result.get(1) == 3
    assert result.ready()
    assert result.successful()
    assert AsyncResult[int](result.id).get(1) == 3  # an id is all it takes


def test_get_raises_what_the_run_ended_with(eager: Protocol) -> None:
    with pytest.raises(RunFailed, match="ValueError: no") as caught:
        fail.delay().get(1)
    assert caught.value.type == "ValueError"
    assert caught.value.message == "no"
    assert 'raise ValueError("no")' in caught.value.traceback


def test_an_unknown_id_is_unknown_and_never_pending(eager: Protocol) -> None:
    with pytest.raises(UnknownRun):
        _ = AsyncResult[int]("nobody").state
    with pytest.raises(UnknownRun):
        AsyncResult[int]("nobody").get(1)
    assert AsyncResult[int]("nobody").revoke() is False


def test_get_gives_up_after_its_timeout_and_the_run_goes_on(rig: Rig) -> None:
    result = add.delay(1)
    with pytest.raises(ResultTimeout):
        result.get(0.01)
    assert result.state is State.QUEUED


def test_a_run_that_is_not_started_in_time_expires(rig: Rig) -> None:
    result = add.apply_async((1,), expires=5)
    rig.clock.now += 5
    rig.deliver_all()
    with pytest.raises(RunExpired):
        result.get(1)


def test_an_argument_that_is_not_json_is_refused_where_it_is_sent(eager: Protocol) -> None:
    with pytest.raises(NotSerializable, match=r"args\[0\]\['a'\]\[1\] is a set"):
        add.apply_async(({"a": [1, {2}]},))
    with pytest.raises(NotSerializable, match="nan"):
        add.apply_async((float("nan"),))
    with pytest.raises(NotSerializable, match="has the key 1"):
        add.apply_async(kwargs={"x": {1: 2}})
    assert list(eager.store.scan("")) == []


def test_an_argument_nested_too_deeply_is_refused(eager: Protocol) -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(NotSerializable, match="200 levels"):
        add.apply_async((deep,))


def test_arguments_arrive_as_their_receiver_sees_them_everywhere(eager: Protocol) -> None:
    @task(name="tests.kind")
    def kind(value: object) -> str:
        return type(value).__name__

    assert kind.delay((1, 2)).get(1) == "list"


def test_a_task_id_given_twice_is_one_run(eager: Protocol) -> None:
    first = add.apply_async((1,), task_id="mine")
    second = add.apply_async((1,), task_id="mine")
    assert (first.id, second.id) == ("mine", "mine")
    with pytest.raises(IdTaken):
        add.apply_async((2,), task_id="mine")


def test_an_id_that_could_not_be_part_of_a_key_is_refused(eager: Protocol) -> None:
    for bad in ("a:b", "", "a/b", "x" * 201, "é"):
        with pytest.raises(ValueError, match="task_id"):
            add.apply_async((1,), task_id=bad)


def test_the_owners_limit_holds_until_a_run_ends(rig: Rig) -> None:
    for n in range(2):
        add.apply_async((n,), owner="o", limit=2)
    with pytest.raises(LimitReached):
        add.apply_async((3,), owner="o", limit=2)
    rig.deliver_all()
    add.apply_async((3,), owner="o", limit=2)


def test_a_link_is_given_the_id_of_what_ended_however_it_ended(eager: Protocol) -> None:
    HEARD.clear()
    well = add.apply_async((1,), link=follow.s("well"))
    badly = fail.apply_async(link=follow.s("badly"))

    assert [(well.id, "well"), (badly.id, "badly")] == HEARD


def test_a_signature_is_sent_like_a_call(eager: Protocol) -> None:
    assert add.s(1, y=5).delay().get(1) == 6


def test_a_process_without_a_runtime_is_told_what_to_do() -> None:
    configure(None)
    with pytest.raises(NotConfigured, match="configure"):
        runtime()
