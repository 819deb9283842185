"""Where the time of jobs goes, through the whole service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

import workflows
from tests.integration.modal_stack import ModalStack
from tests.integration.service import Service, colour, steps
from tests.integration.stack import Stack

pytestmark = pytest.mark.live

ROUNDED = 0.01
"""How many seconds eight rounded parts and two rounded moments may be off together."""


def whole(job: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(job[name]) for name in ("created_at", "completed_at"))
    return (ended - began).total_seconds()


def test_the_parts_of_a_job_add_up_and_a_worker_that_is_awake_is_not_woken(
    stack: Service,
) -> None:
    stack.completed(stack.submit(colour(0x0000FF)))
    job = stack.completed(stack.submit(steps(3, 0.2)))
    told = job["timings"]
    assert sum(told.values()) == pytest.approx(whole(job), abs=ROUNDED)
    assert (told["restore"], told["wake"], told["warm_up"]) == (0.0, 0.0, 0.0)
    assert told["model_load"] == 0.0
    assert told["run"] >= 0.6
    if not isinstance(stack, ModalStack):
        assert job["cost"] is None  # nobody has said what this machine costs
        return
    assert job["cost"]["gpu_seconds"] == pytest.approx(whole(job) - told["waiting"], abs=0.5)


@pytest.mark.slow
def test_what_jobs_have_used_is_added_up(stack: Service) -> None:
    for number in range(2):
        stack.completed(stack.submit(colour(number + 7), user_id="usage-test"))
    (found,) = stack.call("GET", "/v1/usage?user_id=usage-test").json()["sums"]
    assert (found["name"], found["jobs"]) == ("usage-test", 2)
    assert found["gpu_seconds"] > 0.0
    shown = stack.run("usage", "--by", "day")
    assert shown.returncode == 0, shown.stderr
    assert "GPU SECONDS" in shown.stdout


@pytest.mark.slow
def test_the_first_job_tells_of_the_start_it_waited_for_and_of_its_model(
    make_stack: Callable[..., Stack],
) -> None:
    stack = make_stack()
    stack.start()  # it listens long before its worker can work
    small = {"steps": 2, "width": 64, "height": 64}
    graphs = [workflows.filled("text_to_image", small | {"seed": seed}) for seed in (1, 2)]
    first, second = (stack.submit(graph) for graph in graphs)
    job = stack.completed(first)
    told = {name: value or 0.0 for name, value in job["timings"].items()}
    assert sum(told.values()) == pytest.approx(whole(job), abs=ROUNDED)
    assert told["wake"] > 1.0
    assert told["model_load"] > 0.05
    behind = stack.completed(second)["timings"]
    assert behind["wake"] == 0.0
    assert behind["waiting"] > told["wake"]
    assert behind["model_load"] < told["model_load"] / 2


@pytest.mark.slow
def test_a_cancelled_job_tells_what_it_had_taken_until_then(stack: Service) -> None:
    job_id = stack.submit(steps(200, 0.1))
    stack.at_step(job_id, 2)
    stack.call("DELETE", f"/v1/jobs/{job_id}")
    job = stack.ended(job_id)
    told = {name: value or 0.0 for name, value in job["timings"].items()}
    assert job["status"] == "cancelled"
    assert sum(told.values()) == pytest.approx(whole(job), abs=ROUNDED)
    assert told["run"] >= 0.2
