"""What the processes of a race do, each from the same moment on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

from tasks.framework import AsyncResult, LimitReached, State, execute, runtime
from tasks.framework.seat import Seat
from tasks.framework.tick import settle
from tests.races import arena

PROCESSES = 8
SECONDS = 120
"""How long the others may take to get to the same point: a net, none should take so long."""

ROUND = 10
"""So many runs are fought over before everybody waits for everybody."""

Fight = Callable[[Path, int, Barrier], None]


def cancel(run_id: str) -> None:
    """Revoke it."""
    AsyncResult[int](run_id).revoke()


class Impatient(Seat):
    """A seat that waits for another attempt in short steps; nobody rings across processes here."""

    def wait(self, seconds: float) -> bool:
        return super().wait(min(seconds, 0.01))


def finish(run_id: str) -> None:
    """Deliver it."""
    execute({"id": run_id, "task": arena.body.name}, Impatient())


def expire(run_id: str) -> None:
    """Say that it was not started in time."""
    runtime().protocol.never(run_id, State.EXPIRED)


def sweep(run_id: str) -> None:
    """Do what the tick does with it."""
    settle(runtime().protocol, run_id)


ROLES = (cancel, finish, expire, finish, cancel, sweep, expire, finish)


def fight(data: Path, number: int, barrier: Barrier) -> None:
    """Do one thing to every run, at the same time as all the others do theirs."""
    arena.enter(data)
    run_ids = (data / "runs").read_text().split()
    for first in range(0, len(run_ids), ROUND):
        barrier.wait(SECONDS)
        some = run_ids[first : first + ROUND]
        start = number % len(some)
        for run_id in some[start:] + some[:start]:  # not all of them at the same one
            ROLES[(number + first // ROUND) % len(ROLES)](run_id)


def crowd_in(data: Path, number: int, barrier: Barrier) -> None:
    """Send 25 runs of one owner, limited to 5."""
    arena.enter(data)
    barrier.wait(SECONDS)
    for n in range(25):
        try:
            sent = arena.body.apply_async((0,), owner="one", limit=5, task_id=f"{number}-{n}")
        except LimitReached:
            arena.note("refused", number, n)
        else:
            arena.note("accepted", sent.id)


def queue_up(data: Path, number: int, barrier: Barrier) -> None:
    """Do as `crowd_in`, until each was accepted; carry it out then."""
    arena.enter(data)
    barrier.wait(SECONDS)
    for n in range(25):
        _insist(f"{number}-{n}")


def _insist(run_id: str) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            arena.body.apply_async((0,), owner="one", limit=5, task_id=run_id)
        except LimitReached:
            time.sleep(0.001)
            continue
        arena.note("accepted", run_id)
        finish(run_id)
        return
    raise AssertionError(f"no place became free for {run_id}")


@contextmanager
def together(what: Fight, data: Path) -> Iterator[Callable[[], bool]]:
    """Have 8 processes do it; give a way to see whether some still do. Fail if one failed."""
    context = get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    processes = [
        context.Process(target=what, args=(data, number, barrier), daemon=True)
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    try:
        yield lambda: any(process.is_alive() for process in processes)
        for process in processes:
            process.join(SECONDS)
        assert [process.exitcode for process in processes] == [0] * PROCESSES
    finally:
        for process in processes:
            process.kill()
            process.join()
