"""Four worker processes, killed at random moments while they work."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.framework import AsyncResult, State, group, runtime
from tasks.framework.backends.local import LocalBackend
from tasks.framework.backends.process import recover
from tasks.framework.tick import tick
from tests.races import arena
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalBackend]:
    yield arena.enter(tmp_path)
    arena.leave()


class Crew:
    """Four worker processes; a killed one is replaced, as the supervisor does without haste."""

    def __init__(self, backend: LocalBackend, data: Path) -> None:
        self._backend, self._data, self._hired = backend, data, 0
        self._workers = dict(self._hire() for _ in range(4))

    def kill_one(self, chance: random.Random) -> None:
        """Kill -9 one of them, whatever it is doing."""
        at_work = [name for name in self._workers if self._backend.is_ready(name)]
        name = chance.choice(at_work or list(self._workers))
        worker = self._workers.pop(name)
        worker.kill()
        worker.communicate()  # waits, and closes the pipe
        recover(self._backend, name)
        self._workers.update([self._hire()])

    def ready(self) -> bool:
        """Whether all of them work."""
        return all(self._backend.is_ready(name) for name in self._workers)

    def close(self) -> None:
        """End them all."""
        for worker in self._workers.values():
            worker.terminate()
        for worker in self._workers.values():
            worker.communicate(timeout=30)

    def _hire(self) -> tuple[str, subprocess.Popen[bytes]]:
        self._hired += 1
        name = f"w{self._hired}"
        line = arena.command(self._data, name)
        # a worker stops when its input ends: that is how it hears that its parent is gone
        return name, subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE)


@contextlib.contextmanager
def crew(backend: LocalBackend, data: Path) -> Iterator[Crew]:
    hired = Crew(backend, data)
    try:
        yield hired
    finally:
        hired.close()


def carry_out(backend: LocalBackend, data: Path, *, runs: int, seed: int) -> list[str]:
    """Send so many runs and kill workers until all have ended; check what was promised."""
    chance = random.Random(seed)
    sent = [arena.body.delay(chance.uniform(0, 0.08)).id for _ in range(runs)]
    waiting = set(sent)
    with crew(backend, data) as workers:
        eventually(workers.ready)
        for _ in range(runs // 4):
            time.sleep(chance.uniform(0, 0.15))
            if not _unended(waiting):
                break
            workers.kill_one(chance)
        eventually(lambda: not _unended(waiting), seconds=120)
    for _ in range(3):
        tick(runtime().protocol)
    return sent


def _unended(waiting: set[str]) -> set[str]:
    waiting -= {run_id for run_id in waiting if AsyncResult[int](run_id).ready()}
    return waiting


def check(sent: list[str]) -> None:
    protocol = runtime().protocol
    attempts = Counter(tuple(words) for words in arena.notes("start"))
    assert not arena.notes("beside")  # no two attempts of a run at the same time
    assert set(attempts.values()) == {1}  # and no attempt twice
    told, ended = arena.endings(sent), {run_id for run_id, _ in arena.notes("end")}
    assert len(attempts) > len(arena.notes("end"))  # some were killed in their bodies
    for run_id in sent:
        final = protocol.final(run_id)
        assert final is not None
        assert protocol.archive.get(run_id) == final
        # who dies between writing an end and telling of it tells nobody
        assert told[run_id] in ([final.state], [])
        assert final.state is State.SUCCEEDED or (final.error or {})["type"] == "WorkerLost"
        assert final.state is State.FAILED or run_id in ended
        # an attempt can also die between its claim and its body
        assert all(int(n) <= 1 + protocol.timing.losses for run, n in attempts if run == run_id)
    assert [key for key, _ in protocol.store.scan("") if not key.startswith("final:")] == []


def test_every_run_ends_once_while_workers_are_killed(
    backend: LocalBackend, tmp_path: Path
) -> None:
    check(carry_out(backend, tmp_path, runs=60, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_every_run_of_many_ends_once_while_workers_are_killed(
    backend: LocalBackend, tmp_path: Path, seed: int
) -> None:
    check(carry_out(backend, tmp_path, runs=200, seed=100 + seed))


def test_a_group_whose_members_end_at_the_same_time_is_joined_once(
    backend: LocalBackend, tmp_path: Path
) -> None:
    with crew(backend, tmp_path):
        sent = [
            group(arena.part.s(8 * n + member) for member in range(8)).apply_async(
                task_id=f"group-{n}", link=arena.joined.s()
            )
            for n in range(60)
        ]
        for n, result in enumerate(sent):
            assert result.get(120) == list(range(8 * n, 8 * n + 8))
        eventually(lambda: len(arena.notes("joined")) >= 60)
        eventually(lambda: not list(runtime().protocol.store.scan("job:")))

    ids = [result.id for result in sent]
    assert set(map(tuple, arena.endings(ids).values())) == {("succeeded",)}
    assert Counter(run_id for (run_id,) in arena.notes("joined")) == dict.fromkeys(ids, 1)
    parts = Counter(run_id for (run_id,) in arena.notes("part"))
    assert parts == {f"{run_id}.{member}": 1 for run_id in ids for member in range(8)}
