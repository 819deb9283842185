"""Whatever is killed, and whenever: every accepted job ends, and nothing is left behind."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest
import requests

from tasks.framework.stores.sqlite import SqliteStore
from tests.integration.processes import children, command_of, is_running
from tests.integration.service import FINAL, colour, steps
from tests.integration.stack import Stack
from tests.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.slow]

JOBS = 40
LOST = {"worker_lost", "comfyui_crashed", "comfyui_unavailable"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_accepted_job_ends_whatever_is_killed(
    make_stack: Callable[..., Stack], seed: int
) -> None:
    chance = random.Random(seed)
    stack = make_stack(WORKERS=2, TICK_SECONDS=2, MAX_ACTIVE_JOBS_PER_USER=100)
    stack.start()
    accepted: list[str] = []
    cancelled: set[str] = set()
    while len(accepted) < JOBS:
        accepted += _submit(stack, chance)
        if accepted and chance.random() < 0.15:
            cancelled |= _cancel(stack, chance.choice(accepted))
        if chance.random() < 0.25:
            _kill_something(stack, chance)
        time.sleep(chance.random() * 0.6)

    if stack.process is None or stack.process.poll() is not None:
        stack.start()
    ended = {job_id: stack.ended(job_id, 240) for job_id in accepted}

    for job_id, job in ended.items():
        assert job["status"] != "cancelled" or job_id in cancelled, job
        assert job["status"] != "failed" or job["error"]["code"] in LOST, job
        if job["status"] == "completed":
            file = requests.get(job["outputs"][0]["url"], timeout=10)
            assert file.content[:4] == b"\x89PNG"
    assert sum(job["status"] == "completed" for job in ended.values()) > JOBS / 2
    assert {stack.job(job_id)["status"] for job_id in accepted} <= FINAL
    eventually(partial(_is_clean, stack), 60)
    _assert_stops_whole(stack)


def _submit(stack: Stack, chance: random.Random) -> list[str]:
    graph = chance.choice([colour(chance.randrange(2**24)), steps(chance.randint(3, 30), 0.05)])
    try:
        return [stack.submit(graph, user_id=chance.choice("abc"))]
    except requests.ConnectionError:  # it was killed; a client would try again later
        stack.start()
        return []


def _cancel(stack: Stack, job_id: str) -> set[str]:
    try:
        stack.call("DELETE", f"/v1/jobs/{job_id}")
    except requests.ConnectionError:
        return {job_id}  # heard or not
    return {job_id}


def _kill_something(stack: Stack, chance: random.Random) -> None:
    if stack.process is None or stack.process.poll() is not None:
        return
    victim = chance.choice(["worker", "worker", "comfyui", "comfyui", "any", "service"])
    workers = stack.comfy_workers()
    chosen = {
        "worker": workers,
        "comfyui": [child for pid in workers for child in children(pid)],
        "any": children(stack.process.pid),
        "service": [stack.process.pid],
    }[victim]
    if not chosen:
        return
    os.kill(chance.choice(chosen), signal.SIGKILL)
    if victim == "service":
        stack.process.wait(10)


def _is_clean(stack: Stack) -> list[str] | bool:
    store = SqliteStore(stack.data / "tasks.db")
    left = [
        key
        for key, value in store.scan("")
        if not key.startswith(("final:", "catalogue:"))
        and not value.get("void")
        and "maintenance" not in key
    ]
    return not left


def _assert_stops_whole(stack: Stack) -> None:
    assert stack.process is not None
    everything = [stack.process.pid, *children(stack.process.pid)]
    everything += [child for pid in everything for child in children(pid)]
    assert any("main.py" in command_of(pid) for pid in everything)
    stack.stop()
    for pid in everything:
        eventually(partial(_is_gone, pid), 30)


def _is_gone(pid: int) -> bool:
    return not is_running(pid)
