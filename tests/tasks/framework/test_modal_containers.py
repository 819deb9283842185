"""Real containers of Modal's own entry point: cancelled, preempted, killed, and made to answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import modal
import pytest

from tasks.framework import AsyncResult, RunFailed, State
from tasks.framework.queueing import workers
from tasks.framework.tick import tick
from tests.modal_stand_in import ContractApp, contract_app
from tests.tasks.framework.local_app import add, flaky, hold, pid, stubborn, suicide
from tests.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def contract(tmp_path: Path) -> Iterator[ContractApp]:
    with contract_app(tmp_path) as started:
        yield started


def notes(contract: ContractApp) -> list[str]:
    path = contract.data / "notes"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def said(contract: ContractApp, word: str) -> bool:
    return word in notes(contract)


def held(contract: ContractApp, **options: Any) -> tuple[AsyncResult[Any], Path]:
    """Send a run that goes on until its file appears; wait until it runs."""
    go = contract.data / "go"
    sent = hold.apply_async((str(go),), **options)
    eventually(partial(said, contract, "attempt-1"), 60)
    return sent, go


def call_of(contract: ContractApp, sent: AsyncResult[Any]) -> Any:
    call = contract.protocol.call(sent.id)
    assert call is not None
    return modal.FunctionCall.from_id(call.call, client=contract.client)


def swept_until(contract: ContractApp, sent: AsyncResult[Any], state: State) -> None:
    """Tick until the run is in that state."""

    def look() -> bool:
        tick(contract.protocol)
        return sent.state is state

    eventually(look, 90)


def left(contract: ContractApp) -> list[str]:
    tick(contract.protocol)
    every = contract.protocol.store.scan("")
    return [key for key, _ in every if not key.startswith("final:")]


def alive(contract: ContractApp, name: str) -> list[Any]:
    return [each for each in contract.server.tasks(name) if not each.exited]


def test_a_running_body_that_is_revoked_stops_and_its_container_goes_on(
    contract: ContractApp,
) -> None:
    sent, go = held(contract)
    assert sent.revoke()
    eventually(lambda: sent.state is State.REVOKED, 30)
    eventually(partial(said, contract, "cleaned-up"), 30)
    assert left(contract) == []

    go.touch()
    assert hold.delay(str(go)).get(60) == 1
    assert notes(contract).count("boot") == 1  # in the same container, with the same worker


def test_a_call_that_somebody_else_cancels_is_sent_again(contract: ContractApp) -> None:
    sent, go = held(contract)
    first = call_of(contract, sent)
    first.cancel()
    eventually(partial(said, contract, "cleaned-up"), 30)
    go.touch()
    assert sent.get(60) == 2
    with pytest.raises(modal.exception.RemoteError):  # Modal has seen its own exception
        first.get(timeout=10)
    assert left(contract) == []


def test_a_preempted_run_goes_on_in_another_container_in_the_same_call(
    contract: ContractApp,
) -> None:
    sent, go = held(contract)
    go.touch()  # the interrupted attempt sleeps on; the next finds the file
    contract.server.preempt(contract.server.tasks("Runner")[0])
    assert sent.get(60) == 2
    assert len(contract.server.calls()) == 1
    assert notes(contract).count("boot") == 2


@pytest.mark.parametrize("redeliver", [False, True])
def test_a_run_whose_container_was_killed_is_made_once_more(
    contract: ContractApp, redeliver: bool
) -> None:
    sent, go = held(contract)
    contract.server.crash(contract.server.tasks("Runner")[0], redeliver=redeliver)
    go.touch()
    swept_until(contract, sent, State.SUCCEEDED)
    assert sent.get(1) == 2
    assert left(contract) == []


def test_a_run_that_kills_every_container_fails_and_says_so(contract: ContractApp) -> None:
    sent = suicide.delay(99)
    swept_until(contract, sent, State.FAILED)
    with pytest.raises(RunFailed, match="worker lost"):
        sent.get(1)
    assert notes(contract).count("attempt-1") == notes(contract).count("attempt-2") == 1
    assert left(contract) == []


def test_a_body_that_does_not_stop_is_ended_with_its_container(contract: ContractApp) -> None:
    sent = stubborn.delay()
    eventually(lambda: sent.state is State.STARTED, 60)
    assert sent.revoke()
    eventually(lambda: sent.state is State.REVOKED, 30)
    eventually(lambda: not alive(contract, "Runner"), 30)
    assert left(contract) == []


def test_a_container_that_does_not_even_beat_is_ended_once_its_run_is_revoked(
    contract: ContractApp,
) -> None:
    sent, _ = held(contract)
    frozen = contract.server.tasks("Runner")[0]
    assert frozen.proc is not None
    os.kill(frozen.proc.pid, signal.SIGSTOP)
    sent.revoke()
    swept_until(contract, sent, State.REVOKED)
    eventually(lambda: frozen.exited, 30)
    assert left(contract) == []


def test_a_run_that_is_tried_again_later_is_sent_by_the_tick(contract: ContractApp) -> None:
    sent = flaky.delay(3)
    swept_until(contract, sent, State.SUCCEEDED)
    assert sent.get(1) == 3
    assert left(contract) == []


def test_each_gpu_has_containers_of_its_own(contract: ContractApp) -> None:
    go = contract.data / "go"
    go.touch()
    for gpu in ("H100", "none", None):
        asked = {"gpu": gpu} if gpu else {}
        assert hold.apply_async((str(go),), resources=asked).get(60) == 1
    assert len(contract.server.tasks("Runner")) == 2
    assert len(contract.server.tasks("LightRunner")) == 1
    assert workers(contract.protocol, hold.name) == 2


def test_answers_that_are_lost_in_a_container_change_nothing(contract: ContractApp) -> None:
    for rpc in ("DictUpdate", "DictGet", "DictPop"):
        contract.server.fault(rpc, n=5, when="after", match=lambda _, task: bool(task))
    assert [add.delay(n, n).get(60) for n in range(10)] == list(range(0, 20, 2))
    assert isinstance(pid.delay().get(60), int)
    assert left(contract) == []
