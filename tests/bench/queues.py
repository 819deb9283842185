"""No-op tasks through every task queue: sent, carried out by one and by four, and one by one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from tests.bench.contender import Contender, Queue

COUNT = 1000
ROUNDS = 3
SAMPLES = 200
PAUSE = 0.02
"""Seconds of rest before every sample of the latency: so long that everybody idles again."""

Measured = dict[str, float]
"""Milliseconds by what was measured."""


def measure(contenders: Sequence[Contender]) -> dict[str, Measured]:
    """Return the medians of some rounds, by contender; they take turns in every round."""
    rounds: dict[str, list[Measured]] = {each.name: [] for each in contenders}
    for _ in range(ROUNDS):
        for each in contenders:
            rounds[each.name].append(_once(each))
    return {
        name: {what: statistics.median(some[what] for some in found) for what in found[0]}
        for name, found in rounds.items()
    }


def _once(contender: Contender) -> Measured:
    found: Measured = {}
    with contender.open(0) as queue:
        queue.send(0)  # connects
        began = time.perf_counter()
        for number in range(COUNT):
            queue.send(number)
        found[f"{COUNT:,} enqueued"] = (time.perf_counter() - began) * 1000
    for workers in (1, 4):
        with contender.open(workers) as queue:
            _warm_up(queue, workers)
            took = _through(queue)
            found[f"{COUNT:,} enqueued and run by {workers}"] = took
            if workers == 1:
                found |= _latency(queue)
    return found


def _warm_up(queue: Queue, workers: int) -> None:
    """Let every worker process start and see a few tasks."""
    queue.wait(queue.send(0))
    time.sleep(1.0)
    for sent in [queue.send(number) for number in range(10 * workers)]:
        queue.wait(sent)


def _through(queue: Queue) -> float:
    began = time.perf_counter()
    for sent in [queue.send(number) for number in range(COUNT)]:
        queue.wait(sent)
    return (time.perf_counter() - began) * 1000


def _latency(queue: Queue) -> Measured:
    times: list[float] = []
    for number in range(SAMPLES):
        time.sleep(PAUSE)
        began = time.perf_counter()
        queue.wait(queue.send(number))
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return {
        "one task when idle, p50": times[SAMPLES // 2],
        "one task when idle, p99": times[SAMPLES * 99 // 100],
    }
