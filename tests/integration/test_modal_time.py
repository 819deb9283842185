"""On Modal: what a cold start is made of, what jobs cost, and where each of them runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.on_modal import CPU_CORES
from tests.integration.modal_stack import ModalStack
from tests.integration.service import colour, steps
from tests.integration.test_time import ROUNDED, whole
from tests.s3_server import S3Server
from tests.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.slow]

PRICE = 0.0001
FILE = f"""
name = "e2e"
snapshot = "cpu"
allowed_gpus = ["H100"]
cpu_jobs = true
warm_up = "text_to_image"
warm = ["checkpoints/gone.safetensors"]
[[models]]
folder = "checkpoints"
file = "gone.safetensors"
url = "https://127.0.0.1:1/gone.safetensors"
[prices]
CPU = {PRICE}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModalStack]:
    root: Path = tmp_path_factory.mktemp("modal")
    with S3Server(root / "s3") as server:
        made = ModalStack(root / "app", server.new_bucket())
        (root / "app" / "app.toml").write_text(FILE)
        with made as stack:
            yield stack


def ran(stack: ModalStack, name: str) -> int:
    return len(stack.modal.tasks(name))


def test_a_cold_start_is_told_by_its_parts_and_charged_to_the_first_job(
    stack: ModalStack,
) -> None:
    job = stack.completed(stack.submit(steps(3, 0.2)))
    assert "gone.safetensors cannot be read ahead" in stack.modal.logs("ComfyRunner")
    told = {name: value or 0.0 for name, value in job["timings"].items()}
    assert sum(told.values()) == pytest.approx(whole(job), abs=ROUNDED)
    assert told["wake"] > 1.0
    assert told["warm_up"] > 0.5
    assert told["model_load"] == 0.0
    cost = job["cost"]
    charged = told["restore"] + told["wake"] + told["warm_up"]
    assert cost["gpu_seconds"] == pytest.approx(charged + told["run"], abs=0.5)
    assert cost["gpu"] == "CPU"  # what stands for the GPU on this machine
    assert cost["usd"] == pytest.approx(cost["gpu_seconds"] * PRICE * CPU_CORES, abs=0.00001)
    again = stack.completed(stack.submit(steps(3, 0.2)))["timings"]
    assert (again["wake"], again["warm_up"]) == (0.0, 0.0)


def test_only_what_needs_no_gpu_runs_without_one(stack: ModalStack) -> None:
    stack.completed(stack.submit(steps(3, 0.1)))  # a node of a pack, which might do anything
    assert ran(stack, "ComfyCpuRunner") == 0

    def plain_job_went_there() -> bool:  # once the web container has the workers' catalogue
        stack.completed(stack.submit(colour(0x00FF00)))
        return ran(stack, "ComfyCpuRunner") > 0

    eventually(plain_job_went_there, 120)


def test_a_job_gets_a_worker_with_the_gpu_that_it_asks_for(stack: ModalStack) -> None:
    before = ran(stack, "ComfyRunner")
    stack.completed(stack.submit(colour(0xFF), gpu="H100"))
    assert ran(stack, "ComfyRunner") > before
    answer = stack.call("POST", "/v1/jobs", json={"workflow": colour(1), "gpu": "B200"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/gpu"
