"""Chains and groups in real processes, some of which are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tasks.framework import AsyncResult, RunRevoked, State, chain, configure, group, runtime
from tasks.framework.tick import tick
from tests.tasks.framework import local_app
from tests.tasks.framework.local_app import add, describe, hold, suicide
from tests.tasks.framework.test_local import ROOT, Processes, running_pid
from tests.waiting import eventually


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    monkeypatch.chdir(ROOT)  # where `python -m tests...` is found
    yield Processes(local_app.open_backend(tmp_path), tmp_path)
    configure(None)


def test_groups_are_joined_by_several_processes_at_once(processes: Processes) -> None:
    results = [group(add.s(n, k) for k in range(8)).delay() for n in range(20)]
    with processes.supervised(cpu=3):
        for n, result in enumerate(results):
            assert result.get(60) == [n + k for k in range(8)]


def test_a_step_whose_process_dies_is_made_good_and_the_chain_goes_on(
    processes: Processes,
) -> None:
    with processes.supervised(cpu=1, holder=1):
        assert chain(suicide.s(1), add.s(10)).delay().get(60) == 12


def test_processes_killed_at_work_lose_no_chain(processes: Processes) -> None:
    parts = group(chain(add.s(n, 0), add.s(1)) for n in range(10))
    results = [(parts | describe.s()).delay() for _ in range(3)]
    with processes.supervised(cpu=2) as supervisor:
        eventually(lambda: len(supervisor.process_ids()) == 2)
        first, second = supervisor.process_ids().values()
        for process, chosen in ((first, results[0]), (second, results[1])):
            eventually(partial(_has_children, chosen))
            os.kill(process, signal.SIGKILL)
        eventually(lambda: tick(runtime().protocol) == 0, 60)  # sends what the dead did not
    for result in results:
        assert result.get(0) == list(range(1, 11))


def test_a_revoked_chain_interrupts_its_step_at_once(processes: Processes, tmp_path: Path) -> None:
    with processes.supervised(cpu=1, holder=1):
        result = chain(hold.s(str(tmp_path / "never")), add.s(1)).delay()
        step: AsyncResult[int] = AsyncResult(f"{result.id}.0")
        eventually(partial(_has_children, result))
        running_pid(step)
        assert result.revoke()

        with pytest.raises(RunRevoked):
            step.get(30)
        eventually(lambda: "cleaned-up" in processes.words())
        assert result.state is State.REVOKED
        assert [child.id for child in result.children] == [step.id]


def _has_children(result: AsyncResult[Any]) -> bool:
    return bool(result.children)
