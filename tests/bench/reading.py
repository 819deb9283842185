"""How long reading and sweeping take, as the number of finished jobs grows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import settings
from tasks import embedded, jobs
from tasks.framework import State, configure, runtime
from tasks.framework.records import Final
from tasks.framework.tick import tick
from tasks.workflow import run_workflow

FEW, MANY = 1_000, 100_000

ACTIVE = 5
"""So many runs wait while all this is read."""

QUEUE = 2_000
"""So many wait while it is measured what a long queue costs those who list."""


def rows(place: Path) -> Iterator[tuple[str, float, str, float]]:
    """Yield what is read, its milliseconds where much lies there, and where little does."""
    for name, (few, many) in measure(place).items():
        yield f"{name}, of {MANY:,} finished", many, f"of {FEW:,}", few
    for name, (few, many) in measure_queue(place).items():
        yield f"{name}, of {QUEUE:,} waiting", many, f"of {ACTIVE}", few


def measure(place: Path) -> dict[str, tuple[float, float]]:
    """Return the median milliseconds with few and with many finished jobs, by what is read."""
    embedded.configure(settings.Settings(data_dir=place / "reading"))
    try:
        fill(0, FEW)
        for _ in range(ACTIVE):
            run_workflow.delay({})
        few = _medians(FEW)
        fill(FEW, MANY)
        many = _medians(MANY)
    finally:
        configure(None)
    return {name: (few[name], many[name]) for name in few}


def measure_queue(place: Path) -> dict[str, tuple[float, float]]:
    """Return the median milliseconds of listings with few and with many jobs that wait."""
    embedded.configure(settings.Settings(data_dir=place / "waiting"))
    try:
        fill(0, FEW)
        _enqueue(ACTIVE)
        few = _listings()
        _enqueue(QUEUE - ACTIVE)
        many = _listings()
    finally:
        configure(None)
    return {name: (few[name], many[name]) for name in few}


def _enqueue(count: int) -> None:
    for n in range(count):
        run_workflow.apply_async(({},), owner=f"user-{n % 50}")


def _listings() -> dict[str, float]:
    def of(*statuses: jobs.Status) -> float:
        return _median(lambda: jobs.list_jobs(limit=50, statuses=statuses))

    return {
        "listing 50": of(),
        "listing 50 completed": of(jobs.Status.COMPLETED),
        "listing 50 running": of(jobs.Status.RUNNING),
    }


def fill(first: int, last: int) -> None:
    """Write the records of so many finished jobs of fifty users, every tenth of them failed."""
    protocol = runtime().protocol
    for n in range(first, last):
        final = Final(
            id=f"job-{n}",
            task=run_workflow.name,
            state=State.SUCCEEDED if n % 10 else State.FAILED,
            owner=f"user-{n % 50}",
            slot=None,
            created=float(n),
            ended=float(n) + 1,
            digest="",
        )
        protocol.archive.put(final)
        protocol.store.put(f"final:{final.id}", final.to_json())


def _medians(count: int) -> dict[str, float]:
    middle = f"job-{count // 2}"
    active = [jobs.Status.QUEUED, jobs.Status.RUNNING]
    failed = [jobs.Status.FAILED]
    return {
        "reading one job": _median(lambda: jobs.get(middle)),
        "listing 50": _median(lambda: jobs.list_jobs(limit=50)),
        "listing 50 failed of one user": _median(
            lambda: jobs.list_jobs(limit=50, user_id="user-0", statuses=failed)
        ),
        "counting the active": _median(
            lambda: len(jobs.list_jobs(limit=200, statuses=active).jobs)
        ),
        "a tick": _median(lambda: tick(runtime().protocol)),
    }


def _median(read: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(50):
        began = time.perf_counter()
        read()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)
