"""What the service does when its parts are killed, starved or restarted."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

import pytest

from tests.integration.processes import children, is_running
from tests.integration.service import Service, colour, picture_of, steps
from tests.integration.stack import Stack
from tests.waiting import eventually

pytestmark = pytest.mark.live

Make = Callable[..., Stack]


def test_a_job_whose_worker_is_killed_runs_again_once(embedded: Stack) -> None:
    job_id = embedded.submit(steps(40))
    embedded.at_step(job_id, 2)
    (worker,) = embedded.comfy_workers()
    comfyui = embedded.comfyui()

    os.kill(worker, signal.SIGKILL)

    embedded.completed(job_id)
    assert not is_running(comfyui)  # it died with its worker
    assert embedded.comfy_workers() not in ([], [worker])


@pytest.mark.slow
def test_a_job_that_loses_every_worker_fails_and_the_next_one_runs(embedded: Stack) -> None:
    job_id = embedded.submit(steps(500))
    for attempt in (1, 2):
        eventually(partial(_in_attempt, embedded, job_id, attempt), 60)
        (worker,) = embedded.comfy_workers()
        os.kill(worker, signal.SIGKILL)

    job = embedded.ended(job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "worker_lost")
    embedded.completed(embedded.submit(colour(1)))


def test_a_job_whose_comfyui_is_killed_runs_again_in_a_new_one(embedded: Stack) -> None:
    job_id = embedded.submit(steps(40))
    embedded.at_step(job_id, 2)
    (worker,) = embedded.comfy_workers()

    os.kill(embedded.comfyui(), signal.SIGKILL)

    job = embedded.completed(job_id)
    assert any("was killed by SIGKILL" in line for line in job["logs"])
    assert embedded.comfy_workers() == [worker]  # the worker itself lived on


def test_a_job_that_kills_comfyui_each_time_fails_with_its_last_words(stack: Service) -> None:
    job = stack.ended(stack.submit(picture_of({"class_type": "ExitNode", "inputs": {"once": ""}})))

    assert (job["status"], job["error"]["code"]) == ("failed", "comfyui_crashed")
    stack.completed(stack.submit(colour(1)))


def test_a_comfyui_that_cannot_start_is_reported_in_its_own_words(make_stack: Make) -> None:
    stack = make_stack(COMFYUI_ARGUMENTS="--no-such-flag")
    stack.start()

    eventually(lambda: "unrecognized arguments: --no-such-flag" in stack.log.read_text())

    job_id = stack.submit(colour(1))  # the API answers all the same
    assert stack.job(job_id)["status"] == "queued"
    assert stack.call("DELETE", f"/v1/jobs/{job_id}").json()["status"] == "cancelled"


def test_a_job_that_waits_too_long_expires_and_never_starts(make_stack: Make) -> None:
    stack = make_stack(QUEUED_TIMEOUT_SECONDS=2, TICK_SECONDS=1)
    stack.start()
    busy = _running(stack)

    waiting = stack.submit(colour(1))

    job = stack.ended(waiting)
    assert (job["status"], job["error"]["code"]) == ("failed", "expired")
    assert job["started_at"] is None
    assert stack.job(busy)["status"] == "running"


def test_a_job_that_takes_too_long_is_stopped(make_stack: Make) -> None:
    stack = make_stack(JOB_TIMEOUT_SECONDS=3)
    stack.start()
    job = stack.ended(stack.submit(steps(500)))

    assert (job["status"], job["error"]["code"]) == ("failed", "timeout")
    stack.completed(stack.submit(colour(1)))


@pytest.mark.slow
def test_a_restart_finishes_what_was_running_and_what_was_queued(make_stack: Make) -> None:
    stack = make_stack()
    stack.start()
    running = stack.submit(steps(60))
    stack.at_step(running)
    queued = [stack.submit(colour(n)) for n in range(3)]

    assert stack.stop() == 0
    stack.start()

    for job_id in (running, *queued):
        stack.completed(job_id)


def test_killing_the_service_leaves_no_process_and_loses_no_job(make_stack: Make) -> None:
    stack = make_stack()
    stack.start()
    running = stack.submit(steps(60))
    stack.at_step(running)
    queued = stack.submit(colour(1))
    assert stack.process is not None
    workers = children(stack.process.pid)
    comfyui = stack.comfyui()

    stack.kill()

    for pid in (*workers, comfyui):
        eventually(partial(_is_gone, pid))
    stack.start()
    for job_id in (running, queued):
        stack.completed(job_id)


@pytest.mark.slow
def test_two_workers_share_the_queue_and_one_killed_harms_no_other(make_stack: Make) -> None:
    stack = make_stack(WORKERS=2)
    stack.start()
    eventually(lambda: len(stack.comfy_workers()) == 2)
    jobs = [stack.submit(steps(80)) for _ in range(2)]
    for job_id in jobs:
        stack.at_step(job_id)

    os.kill(stack.comfy_workers()[0], signal.SIGKILL)

    for job_id in jobs:
        stack.completed(job_id)


def _in_attempt(stack: Stack, job_id: str, attempt: int) -> bool:
    job = stack.job(job_id)
    begun = sum("accepted" in line for line in job["logs"])
    return begun == attempt and (job["current_step"] or 0) >= 2


def _is_gone(pid: int) -> bool:
    return not is_running(pid)


def _running(stack: Stack) -> str:
    """Occupy the only worker: its ComfyUI may need longer to start than a job may wait."""

    def look() -> str | None:
        job_id = stack.submit(steps(500))
        job = eventually(lambda: _settled(stack, job_id))
        return job_id if job == "running" else None

    return eventually(look, 90)


def _settled(stack: Stack, job_id: str) -> str | None:
    status: str = stack.job(job_id)["status"]
    return status if status != "queued" else None
