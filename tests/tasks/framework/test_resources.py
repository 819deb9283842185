"""What a run asks of the place it runs in goes with every message, however often it is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tasks.framework import AsyncResult, chain, configure, current, task
from tasks.framework.backends.eager import eager_runtime
from tasks.framework.stores import Json
from tasks.framework.tick import tick
from tests.tasks.framework.bodies import declared
from tests.tasks.framework.rig import HandBackend, Rig

H100 = {"gpu": "H100"}


@dataclass
class NotingBackend(HandBackend):
    """Remembers every message it was given."""

    messages: list[Json] = field(default_factory=list)

    def submit(self, message: Json, pool: str, due: float) -> str | None:
        call = super().submit(message, pool, due)
        if call is not None:
            self.messages.append(message)
        return call


@pytest.fixture
def rig() -> Any:
    with Rig(backend=NotingBackend()).configured() as rig:
        yield rig


def asked(rig: Rig) -> list[Any]:
    assert isinstance(rig.backend, NotingBackend)
    return [(message["id"], message.get("resources")) for message in rig.backend.messages]


def again() -> None:
    if current.attempt == 1:
        current.retry(after=100)


def test_the_message_of_a_run_that_asks_for_nothing_is_its_id_and_its_task(rig: Rig) -> None:
    with declared(again) as body:
        sent = body.delay()
    assert isinstance(rig.backend, NotingBackend)
    assert rig.backend.messages == [{"id": sent.id, "task": body.name}]


def test_a_retry_and_a_sending_by_the_tick_ask_for_the_same(rig: Rig) -> None:
    with declared(again, retry=1) as body:
        body.apply_async(task_id="J", resources=H100, countdown=50)
        assert asked(rig) == []  # nothing is sent before it is due
        for _ in range(2):
            rig.clock.now += 150
            tick(rig.protocol)
            rig.deliver_all()
        assert asked(rig) == [("J", H100)] * 2

        once_more = AsyncResult[None]("J").retry()
    assert asked(rig)[2:] == [(once_more.id, H100)]


def test_a_message_that_was_lost_is_sent_again_with_what_it_asked_for(rig: Rig) -> None:
    with declared(again) as body:
        body.apply_async(task_id="J", resources=H100)
        rig.backend.lose_all()
        rig.clock.now += 100
        tick(rig.protocol)
    assert asked(rig) == [("J", H100)] * 2


def test_a_step_of_a_chain_asks_for_itself_and_the_chain_cannot_ask(rig: Rig) -> None:
    with declared(again, retry=1) as body:
        calls = chain(body.s().set(resources=H100))
        calls.apply_async(task_id="C")
        rig.deliver_all()
        with pytest.raises(ValueError, match="resources cannot be set on a chain"):
            calls.set(resources=H100).delay()
    assert ("C.0", H100) in asked(rig)
    assert ("C", None) in asked(rig)


def test_what_is_not_a_name_with_a_string_is_refused(rig: Rig) -> None:
    wrong: Any = {"gpus": 2}
    with declared(again) as body, pytest.raises(ValueError, match="'gpus': 2"):
        body.apply_async(resources=wrong)
    assert asked(rig) == []


def test_a_backend_that_has_one_place_only_ignores_them() -> None:
    @task(name="resources.alone")
    def alone() -> str:
        return "done"

    configure(eager_runtime())
    try:
        assert alone.apply_async(resources=H100).get(1) == "done"
    finally:
        configure(None)
