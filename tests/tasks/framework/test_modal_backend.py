"""Calls of a Modal app: where messages go, what is refused, and what each answer means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from grpclib.const import Status

from tasks.framework import AsyncResult, Protocol, State
from tasks.framework.backends.modal import ModalBackend, function_name
from tasks.framework.queueing import workers
from tasks.framework.tick import tick
from tests.modal_stand_in import ContractApp, contract_app
from tests.tasks.framework.local_app import add, hold
from tests.tasks.framework.modal_contract import APP, CLASSES

pytestmark = pytest.mark.live

NOW, LATER = 0.0, 10.0**12


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContractApp]:
    """Give an app whose containers never start: what is sent to it stays pending."""
    place = tmp_path_factory.mktemp("contract")
    with contract_app(place, run_containers=False) as started:
        yield started


@pytest.fixture
def backend(contract: ContractApp) -> ModalBackend:
    return ModalBackend(APP, classes=CLASSES, client=contract.client)


def send(backend: ModalBackend, pool: str = "cpu", task: str = "add", **more: Any) -> str:
    call = backend.submit({"id": "J", "task": task, **more}, pool, NOW)
    assert call is not None
    return call


def place_of(contract: ContractApp, call: str) -> tuple[str, str]:
    """Return the name of what was called, and its GPU."""
    function = contract.server.plane.state.functions[contract.server.calls()[call].function_id]
    return function.name, function.proto.resources.gpu_config.gpu_type


def test_a_message_goes_to_the_function_of_its_task(
    contract: ContractApp, backend: ModalBackend
) -> None:
    assert place_of(contract, send(backend)) == ("add", "")
    call = send(backend, task="tasks.framework.canvas.stop")
    assert place_of(contract, call) == ("tasks-framework-canvas-stop", "")
    assert function_name("tasks.mail.send") == "tasks-mail-send"


@pytest.mark.parametrize(
    ("resources", "place"),
    [
        ({}, ("Runner.*", "L40S")),
        ({"gpu": "H100"}, ("Runner.*", "H100")),
        ({"gpu": "A100-80GB"}, ("Runner.*", "A100-80GB")),
        ({"gpu": "none"}, ("LightRunner.*", "")),
    ],
)
def test_a_message_for_a_worker_goes_to_its_class_on_the_gpu_it_asks_for(
    contract: ContractApp, backend: ModalBackend, resources: dict[str, str], place: Any
) -> None:
    call = send(backend, "holder", "hold", resources=resources)
    assert place_of(contract, call) == place


def test_what_asks_for_no_gpu_takes_the_class_there_is(contract: ContractApp) -> None:
    backend = ModalBackend(APP, classes={"holder": "Runner"}, client=contract.client)
    call = send(backend, "holder", "hold", resources={"gpu": "none"})
    assert place_of(contract, call) == ("Runner.*", "L40S")


def test_a_message_that_is_not_due_is_left_to_the_tick(
    contract: ContractApp, backend: ModalBackend
) -> None:
    before = len(contract.server.calls())
    assert backend.submit({"id": "J", "task": "add"}, "cpu", LATER) is None
    assert len(contract.server.calls()) == before


def test_a_task_without_a_function_goes_where_it_fails(
    contract: ContractApp, backend: ModalBackend
) -> None:
    call = send(backend, task="no.such.task")
    assert place_of(contract, call) == ("tasks-framework-canvas-advance", "")


@pytest.mark.parametrize("pool", ["holder", "cpu"])
def test_an_app_that_is_not_deployed_takes_nothing_and_is_named(
    contract: ContractApp, pool: str, caplog: pytest.LogCaptureFixture
) -> None:
    backend = ModalBackend("nowhere", classes=CLASSES, client=contract.client)
    assert backend.submit({"id": "J", "task": "add"}, pool, NOW) is None
    assert "app nowhere has no" in caplog.text
    assert "modal deploy" in caplog.text


@dataclass
class Handle:
    """A handle of this process, which notes what it is given."""

    got: list[Any] = field(default_factory=list)

    def spawn(self, message: Any) -> Any:
        self.got.append(message)
        return SimpleNamespace(object_id=f"fc-{len(self.got)}")


@dataclass
class Class:
    """A class's handle, with the options it was taken with."""

    run: Handle = field(default_factory=Handle)
    asked: list[str] = field(default_factory=list)

    def with_options(self, *, gpu: str) -> Class:
        self.asked.append(gpu)
        return self

    def __call__(self) -> Class:
        return self


def test_handles_of_this_process_come_first_and_are_kept() -> None:
    runner, function = Class(), Handle()
    handles = {"Runner": runner, "add": function}
    backend = ModalBackend("nowhere", classes=CLASSES, hydrated=handles)
    for _ in range(2):
        assert send(backend, "holder", "hold", resources={"gpu": "L4"})
    assert send(backend) == "fc-1"
    assert runner.run.got == [{"id": "J", "task": "hold", "resources": {"gpu": "L4"}}] * 2
    assert runner.asked == ["L4"]
    assert function.got == [{"id": "J", "task": "add"}]


# -- what may go wrong -----------------------------------------------------------------------


def refused(contract: ContractApp) -> None:
    contract.server.fault("FunctionMap", status=Status.RESOURCE_EXHAUSTED)


def unreachable(contract: ContractApp) -> None:
    contract.server.fault("FunctionMap", n=4)


@pytest.mark.parametrize("trouble", [refused, pytest.param(unreachable, marks=pytest.mark.slow)])
def test_a_run_that_modal_does_not_take_is_accepted_and_sent_by_the_tick(
    contract: ContractApp, trouble: Callable[[ContractApp], None]
) -> None:
    protocol = contract.protocol
    trouble(contract)
    sent = add.delay(1, 2)
    assert sent.state is State.QUEUED
    assert protocol.call(sent.id) is None

    tick(later(protocol, protocol.timing.grace + 1))
    call = protocol.call(sent.id)
    assert call is not None
    assert protocol.backend.alive(call.call)
    assert sent.revoke()


def later(protocol: Protocol, seconds: float) -> Protocol:
    """Return the same protocol with a clock that is ahead."""
    return replace(protocol, clock=lambda: time.time() + seconds)


def test_a_spawn_whose_answer_was_lost_counts_once(
    contract: ContractApp, backend: ModalBackend
) -> None:
    before = len(contract.server.calls())
    contract.server.fault("FunctionMap", when="after")
    assert send(backend) in contract.server.calls()
    assert len(contract.server.calls()) == before + 1


def test_a_pending_call_is_alive_until_it_is_cancelled(backend: ModalBackend) -> None:
    call = send(backend)
    assert backend.alive(call)
    backend.cancel(call)
    assert not backend.alive(call)
    backend.cancel(call)
    backend.terminate(call)


def test_a_call_whose_result_has_lapsed_is_over(
    contract: ContractApp, backend: ModalBackend
) -> None:
    call = send(backend)
    contract.server.expire(call)
    assert not backend.alive(call)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "times"),
    [
        (Status.UNAVAILABLE, 4),  # which Modal's client asks for again, three times
        (Status.ABORTED, 1),
        (Status.FAILED_PRECONDITION, 1),
        (Status.DATA_LOSS, 1),
        (Status.UNIMPLEMENTED, 1),
    ],
)
def test_while_modal_cannot_be_asked_a_call_is_taken_for_alive(
    contract: ContractApp, backend: ModalBackend, status: Status, times: int
) -> None:
    call = send(backend)
    backend.cancel(call)
    contract.server.fault("FunctionGetOutputs", n=times, status=status)
    assert backend.alive(call)
    assert not backend.alive(call)


def test_a_call_that_cannot_be_cancelled_now_does_no_harm(
    contract: ContractApp, backend: ModalBackend
) -> None:
    call = send(backend)
    contract.server.fault("FunctionCallCancel", status=Status.PERMISSION_DENIED)
    backend.cancel(call)
    assert backend.alive(call)


def test_a_run_that_is_revoked_before_it_starts_takes_its_call_along(
    contract: ContractApp,
) -> None:
    sent = add.delay(1, 2)
    call = contract.protocol.call(sent.id)
    assert call is not None
    assert sent.revoke()
    assert sent.state is State.REVOKED
    assert not contract.protocol.backend.alive(call.call)


def test_the_containers_of_a_pool_are_counted_and_others_are_not(
    contract: ContractApp, backend: ModalBackend
) -> None:
    assert backend.workers("holder") == 0
    assert workers(contract.protocol, hold.name) == 0
    assert backend.workers("cpu") is None
    contract.server.fault("FunctionGetCurrentStats", status=Status.PERMISSION_DENIED)
    assert backend.workers("holder") is None


# -- entries that nobody has used for seven days ---------------------------------------------


def test_a_call_that_has_lapsed_costs_a_second_delivery_and_nothing_more(
    contract: ContractApp,
) -> None:
    sent = add.delay(1, 2)
    contract.protocol.store.delete(f"call:{sent.id}", f"live:{sent.id}")
    tick(later(contract.protocol, 100.0))
    assert contract.protocol.call(sent.id) is not None
    assert contract.protocol.store.get(f"live:{sent.id}") is not None
    sent.revoke()


def test_ticks_keep_what_waits_for_weeks(contract: ContractApp) -> None:
    sent = add.apply_async((1, 2), countdown=30 * 86400)
    for _ in range(4):
        contract.server.age_dicts(3)
        tick(contract.protocol)
    assert AsyncResult[int](sent.id).state is State.SCHEDULED
    sent.revoke()
