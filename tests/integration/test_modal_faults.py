"""What befalls an app on Modal, and what owners of jobs notice of it: nothing, or a clear word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from grpclib.const import Status

from tests.integration.modal_stack import ModalStack
from tests.integration.service import colour, steps
from tests.s3_server import S3Server
from tests.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(420)]

Make = Callable[..., ModalStack]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Make a deployed app with settings of its own; all end with the module."""
    root: Path = tmp_path_factory.mktemp("modal")
    made: list[ModalStack] = []
    with S3Server(root / "s3") as server:

        def start(**settings: object) -> ModalStack:
            stack = ModalStack(root / f"app{len(made)}", server.new_bucket(), **settings)
            made.append(stack)
            stack.__enter__()
            return stack

        try:
            yield start
        finally:
            for stack in made:
                stack.__exit__(None, None, None)


@pytest.fixture(scope="module")
def stack(make: Make) -> ModalStack:
    return make(GPU_MAX_CONTAINERS=1)


def test_a_preempted_job_is_finished_once_elsewhere(stack: ModalStack) -> None:
    job = stack.submit(steps(40, seconds=0.2))
    stack.at_step(job, 3)
    stack.modal.preempt(stack.worker())

    done = stack.completed(job)

    assert len(done["outputs"]) == 1
    assert requests.get(done["outputs"][0]["url"], timeout=10).content[:4] == b"\x89PNG"


def test_a_job_whose_container_is_killed_runs_once_more(stack: ModalStack) -> None:
    job = stack.submit(steps(40, seconds=0.2))
    stack.at_step(job, 3)
    stack.modal.crash(stack.worker())

    done = stack.ended(job, seconds=240)

    assert done["status"] == "completed"
    assert len(done["outputs"]) == 1


def test_nothing_of_a_killed_container_lives_on(stack: ModalStack) -> None:
    job = stack.submit(steps(40, seconds=0.2))
    stack.at_step(job, 3)
    task = stack.worker()
    stack.modal.crash(task, main_only=True)
    eventually(lambda: task.exited)

    assert task.orphans == []
    assert stack.ended(job, seconds=240)["status"] == "completed"


def test_a_refused_spawn_loses_no_job(stack: ModalStack) -> None:
    stack.modal.fault("FunctionMap", n=4, when="before", status=Status.RESOURCE_EXHAUSTED)
    answer = stack.call("POST", "/v1/jobs", json={"workflow": colour(0x0000FF)})

    assert answer.status_code in {202, 503}, answer.text
    if answer.status_code == 202:
        assert stack.ended(answer.json()["job_id"], seconds=240)["status"] == "completed"


def test_a_spawn_whose_answer_is_lost_runs_the_job_once(stack: ModalStack) -> None:
    stack.modal.fault("FunctionMap", n=1, when="after", status=Status.UNAVAILABLE)

    done = stack.completed(stack.submit(colour(0x00FFFF)))

    assert len(done["outputs"]) == 1


def test_what_modal_forgets_of_a_call_is_no_matter(stack: ModalStack) -> None:
    job = stack.completed(stack.submit(colour(0xFFFF00)))
    for call in list(stack.modal.calls()):
        stack.modal.expire(call)

    assert stack.job(job["job_id"])["status"] == "completed"
    assert stack.completed(stack.submit(colour(0xFF00FF)))


def test_a_new_deploy_leaves_jobs_in_flight_alone(stack: ModalStack) -> None:
    running = stack.submit(steps(30, seconds=0.2))
    stack.at_step(running, 2)
    waiting = stack.submit(colour(0x101010))

    stack.deploy()

    assert stack.completed(running)["outputs"]
    assert stack.completed(waiting)["outputs"]
    assert stack.completed(stack.submit(colour(0x202020)))["outputs"]


def test_two_web_containers_keep_to_one_limit_of_a_user(make: Make) -> None:
    stack = make(MAX_ACTIVE_JOBS_PER_USER=3, GPU_MAX_CONTAINERS=1)
    assert stack.call("GET", "/v1/jobs").status_code == 200
    stack.modal.start_container("api", 2)
    slow = {"workflow": steps(100, seconds=0.2), "user_id": "u"}

    def post(_: int) -> int:
        return stack.call("POST", "/v1/jobs", json=slow).status_code

    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(post, range(20)))

    assert sorted(set(codes)) == [202, 429]
    assert codes.count(202) == 3
    listed = stack.call("GET", "/v1/jobs", params={"user_id": "u"}).json()["jobs"]
    assert len(listed) == 3
    for job in listed:
        assert stack.call("DELETE", f"/v1/jobs/{job['job_id']}").status_code in {200, 202}
    for job in listed:
        assert stack.ended(job["job_id"])["status"] == "cancelled"


def test_seven_idle_days_lose_no_job_that_is_over(stack: ModalStack) -> None:
    job = stack.completed(stack.submit(colour(0x303030), user_id="idle"))

    stack.modal.age_dicts(8)

    assert stack.job(job["job_id"])["status"] == "completed"
    listed = stack.call("GET", "/v1/jobs", params={"user_id": "idle"}).json()["jobs"]
    assert [each["job_id"] for each in listed] == [job["job_id"]]
    assert requests.get(job["outputs"][0]["url"], timeout=10).status_code == 200
    assert stack.completed(stack.submit(colour(0x404040)))["outputs"]


def test_a_schedule_that_fires_again_and_again_does_its_work_once(stack: ModalStack) -> None:
    """An occurrence is one run, whose id is made of its minute."""
    begun = re.compile(r"attempt \d+ of tasks\.maintenance\.purge begins job_id=(\S+)")

    stack.modal.fire_together("tasks-maintenance-purge", 3)
    stack.modal.fire_schedule("tasks-maintenance-purge")

    runs = begun.findall(stack.modal.logs("tasks-maintenance-purge"))
    assert runs
    assert len(set(runs)) == len(runs)


def test_a_deploy_and_stop_leave_no_process(make: Make) -> None:
    stack = make()
    stack.completed(stack.submit(colour(0x505050)))
    task = stack.worker()
    comfyui = stack.comfyui()

    stack.modal.stop_task(task)

    eventually(lambda: task.exited)
    assert task.orphans == []
    assert not Path(f"/proc/{comfyui}").exists()
