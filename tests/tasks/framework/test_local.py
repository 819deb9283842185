"""The local backend: real processes, killed with real signals."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tasks.framework import AsyncResult, RunFailed, RunRevoked, State, configure, runtime
from tasks.framework.backends.doorbell import Doorbell
from tasks.framework.backends.local import LocalBackend
from tasks.framework.backends.process import recover
from tasks.framework.backends.supervisor import Supervisor
from tests.tasks.framework import local_app
from tests.tasks.framework.local_app import add, flaky, hold, pid, stubborn, suicide
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    yield local_app.open_backend(tmp_path)
    configure(None)


class Processes:
    """Worker processes over one data directory."""

    def __init__(self, backend: LocalBackend, data: Path) -> None:
        self.backend, self.data = backend, data

    def supervised(self, **pools: int) -> AbstractContextManager[Supervisor]:
        return Supervisor(pools, self.command, lambda name: recover(self.backend, name))

    def command(self, pool: str, name: str) -> list[str]:
        module = "tests.tasks.framework.local_app"
        return [sys.executable, "-m", module, str(self.data), pool, name]

    def notes(self) -> list[str]:
        path = self.data / "notes"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def words(self) -> list[str]:
        return [line.split()[0] for line in self.notes()]


@pytest.fixture
def processes(backend: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Processes:
    monkeypatch.chdir(ROOT)  # where `python -m tests...` is found
    return Processes(backend, tmp_path)


def running_pid(result: AsyncResult[int]) -> int:
    found: int = eventually(lambda: result.state is State.STARTED and result.meta.get("pid"))
    return found


def test_many_runs_are_each_carried_out_once_by_several_processes(processes: Processes) -> None:
    results = [add.delay(n, 1) for n in range(100)]
    pids = [pid.delay() for _ in range(20)]
    with processes.supervised(cpu=3):
        assert [result.get(60) for result in results] == [n + 1 for n in range(100)]
        assert os.getpid() not in {result.get(60) for result in pids}


def test_a_worker_is_booted_woken_and_closed_in_its_process(processes: Processes) -> None:
    (processes.data / "go").touch()
    with processes.supervised(holder=1):
        assert hold.delay(str(processes.data / "go")).get(60) == 1

    assert processes.words() == ["boot", "wake", "attempt-1", "close"]


def test_a_running_body_is_interrupted_by_a_revoke(processes: Processes) -> None:
    with processes.supervised(holder=1) as supervisor:
        result = hold.delay(str(processes.data / "never"))
        before = running_pid(result)
        result.revoke()
        with pytest.raises(RunRevoked):
            result.get(30)

        (processes.data / "go").touch()
        after = hold.delay(str(processes.data / "go"))
        assert after.get(30) == 1  # by the same process: a revoke costs no worker
        assert list(supervisor.process_ids().values()) == [before]
    assert "interrupted" in processes.words()


def test_what_cleans_up_behind_an_interruption_is_not_interrupted_itself(
    processes: Processes,
) -> None:
    with processes.supervised(holder=1):
        result = hold.delay(str(processes.data / "never"))
        running_pid(result)
        result.revoke()
        eventually(lambda: "interrupted" in processes.words())
    assert processes.words()[-3:] == ["interrupted", "cleaned-up", "close"]
    assert result.state is State.REVOKED


def test_a_waiting_run_that_is_revoked_never_starts(processes: Processes) -> None:
    result = add.delay(1, 2)
    result.revoke()
    with processes.supervised(cpu=1):
        assert add.delay(2, 2).get(30) == 4
    assert result.state is State.REVOKED


def test_a_timeout_interrupts_a_body_that_looks_at_nothing(processes: Processes) -> None:
    with processes.supervised(holder=1):
        result = hold.apply_async((str(processes.data / "never"),), timeout=0.3)
        with pytest.raises(RunFailed, match=r"RunTimeout: not finished after 0\.3 s"):
            result.get(30)


def test_a_body_that_will_not_stop_is_ended_with_its_process_and_the_pool_goes_on(
    processes: Processes,
) -> None:
    with processes.supervised(holder=1) as supervisor:
        result = stubborn.apply_async(timeout=0.3)
        eventually(lambda: "ignored" in processes.words())
        before = set(supervisor.process_ids().values())
        with pytest.raises(RunFailed, match="RunTimeout"):
            result.get(30)
        (processes.data / "go").touch()
        assert hold.delay(str(processes.data / "go")).get(30) == 1
        assert not before & set(supervisor.process_ids().values())


def test_a_retry_is_made_when_it_is_due_without_any_tick(processes: Processes) -> None:
    with processes.supervised(cpu=1):
        result = flaky.delay(3)
        assert eventually(lambda: result.state is State.RETRYING)
        assert result.get(30) == 3


def test_a_countdown_is_kept_to_by_idle_workers(processes: Processes) -> None:
    with processes.supervised(cpu=1):
        result = add.apply_async((1, 2), countdown=1.5)
        assert add.delay(1, 1).get(30) == 2  # what is due goes first
        assert result.state is State.SCHEDULED
        assert result.get(30) == 3


def test_a_run_whose_worker_is_killed_is_run_again_once(processes: Processes) -> None:
    with processes.supervised(holder=1):
        assert suicide.delay(1).get(60) == 2

    assert [word for word in processes.words() if word.startswith("attempt")] == [
        "attempt-1",
        "attempt-2",
    ]


def test_a_run_that_kills_every_worker_fails_as_worker_lost(processes: Processes) -> None:
    with processes.supervised(holder=1):
        with pytest.raises(RunFailed, match="worker lost"):
            suicide.delay(2).get(60)
        (processes.data / "go").touch()
        assert hold.delay(str(processes.data / "go")).get(60) == 1  # and the pool lives on


def test_killing_one_worker_harms_no_other(processes: Processes) -> None:
    go = processes.data / "go"
    with processes.supervised(holder=2):
        first, second = hold.delay(str(go)), hold.delay(str(go))
        victim, other = running_pid(first), running_pid(second)
        os.kill(victim, signal.SIGKILL)
        again = eventually(lambda: first.meta.get("pid") not in {None, victim} and first.meta)
        assert again["pid"] != other
        assert second.meta["pid"] == other
        assert second.state is State.STARTED
        first.revoke()
        second.revoke()


def test_a_graceful_stop_hands_the_run_back_to_the_next_process(processes: Processes) -> None:
    go = processes.data / "go"
    with processes.supervised(holder=1):
        result = hold.delay(str(go))
        running_pid(result)
    assert result.state is State.STARTED
    assert processes.words()[-3:] == ["interrupted", "cleaned-up", "close"]

    go.touch()
    with processes.supervised(holder=1):
        assert result.get(30) == 2


def test_what_killed_processes_had_in_hand_is_found_by_the_next_ones(
    processes: Processes, backend: LocalBackend
) -> None:
    result = add.delay(1, 2)
    backend.claim("cpu", "a-worker-that-is-dead")
    assert recover(backend) == 1

    with processes.supervised(cpu=1):
        assert result.get(30) == 3


def test_a_run_found_in_a_dead_workers_hands_need_not_become_stale_first(
    backend: LocalBackend,
) -> None:
    result = add.delay(1, 2)
    backend.claim("cpu", "dead")
    assert runtime().protocol.claim(result.id, worker="dead", wait=lambda: None) is not None
    recover(backend, "dead")

    def wait() -> None:
        raise AssertionError("it is known to be dead")

    second = runtime().protocol.claim(result.id, worker="alive", wait=wait)
    assert second is not None
    assert second.run.attempt == 2


def test_a_submission_wakes_idle_workers(backend: LocalBackend) -> None:
    bell = Doorbell(backend.bells, "idle")
    backend.submit({"id": "J", "task": "t"}, "cpu", 0.0)
    assert bell.wait(0)
    bell.close()


def test_workers_stop_when_their_supervisor_is_killed(processes: Processes) -> None:
    code = (
        "import sys, time; from tasks.framework.backends.supervisor import Supervisor\n"
        f"with Supervisor({{'holder': 1}}, lambda pool, name: {processes.command('P', 'N')!r}"
        "[:4] + [pool, name], print):\n    time.sleep(3600)"
    )
    supervisor = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", code])
    pid_of_worker = running_pid(hold.delay(str(processes.data / "never")))

    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)

    eventually(lambda: "close" in processes.words())
    eventually(lambda: not _exists(pid_of_worker))


def test_a_call_is_alive_while_it_waits_or_its_worker_lives(backend: LocalBackend) -> None:
    call = backend.submit({"id": "J", "task": "t"}, "cpu", 0.0)
    assert backend.alive(call)

    delivery = backend.claim("cpu", "a-worker-that-is-dead")
    assert delivery is not None
    assert not backend.alive(call)
    backend.done(delivery)
    assert not backend.alive(call)
    assert not backend.alive("12345")


def test_a_cancelled_call_is_not_delivered_but_a_claimed_one_is_left(
    backend: LocalBackend,
) -> None:
    backend.cancel(backend.submit({"id": "J", "task": "t"}, "cpu", 0.0))
    assert backend.claim("cpu", "w") is None

    call = backend.submit({"id": "K", "task": "t"}, "cpu", 0.0)
    claimed = backend.claim("cpu", "w")
    backend.cancel(call)
    assert claimed is not None
    assert [run for run, _ in backend.abandoned()] == ["K"]


def test_a_sent_message_goes_to_its_own_pool_only(backend: LocalBackend) -> None:
    hold.delay("x")
    assert runtime().protocol.backend is backend
    assert backend.claim("cpu", "w") is None
    assert backend.claim("holder", "w") is not None


def _exists(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_message_knows_how_many_go_before_it(backend: LocalBackend) -> None:
    calls = [backend.submit({"id": f"r{n}"}, "cpu", 10.0 + n) for n in range(4)]
    other = backend.submit({"id": "other"}, "gpu", 1.0)

    assert [backend.ahead(call, 10) for call in calls] == [0, 1, 2, 3]
    assert backend.ahead(calls[3], 2) == 2  # not counted further
    assert backend.ahead(other, 10) == 0
    assert backend.claim("cpu", "w")
    assert (backend.ahead(calls[0], 10), backend.ahead(calls[3], 10)) == (None, 2)
    assert (backend.in_hand("cpu"), backend.in_hand("gpu")) == (["r0"], [])
    assert backend.ahead("999", 10) is None
