"""The real ComfyUI taking a simulated GPU: late, once, never, with clones and odd custom nodes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comfy_runner import snapshot
from comfy_runner.bucket import LocalBucket
from comfy_runner.client import ComfyClient
from comfy_runner.installation import Installation
from comfy_runner.server import ComfyServer
from comfy_runner.worker import ComfyWorker
from tests.comfy_runner.gpu_machine import GpuMachine, set_device, start
from tests.comfy_runner.runs import POLICY

pytestmark = [pytest.mark.live, pytest.mark.slow]

NODES = {
    "greedy": "import torch\ntry:\n    torch.ones(1).to('cuda')\nexcept Exception:\n    pass\n",
    "curious": "import torch\nDEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'\n",
    "ComfyUI-KJNodes": "",
}

CLONES = """
import os, random, runpy, sys
checkout, helper = sys.argv[1:3]
sys.argv = ["main.py"]
sys.path.insert(0, checkout)
runpy.run_path(f"{helper}/prestartup_script.py")
import folder_paths, numpy, torch
from transformers.utils import is_torch_cuda_available
assert not is_torch_cuda_available()
import comfy.model_management
from memory_snapshot_helper.hiding import curtain
from memory_snapshot_helper.waking import wake
numpy.random.seed(7), torch.manual_seed(7)
for woken in (False, False, True, True):
    if os.fork() == 0:
        random.seed(7)  # Python itself seeds it anew in a fork, though not in a snapshot
        if woken:
            wake(curtain)
            assert is_torch_cuda_available()
        drawn = random.random(), numpy.random.random(), torch.rand(1).item()
        print(woken, *drawn, flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture
def machine(installation: Installation, tmp_path: Path) -> GpuMachine:
    return GpuMachine(installation, tmp_path)


@pytest.fixture
def serve(machine: GpuMachine) -> Iterator[Callable[..., ComfyServer]]:
    made: list[ComfyServer] = []

    def make(arguments: tuple[str, ...] = (), *, hide_cuda: bool = True) -> ComfyServer:
        made.append(machine.server(arguments))
        start(made[-1], hide_cuda=hide_cuda)
        return made[-1]

    yield make
    for server in made:
        server.kill()


def device_of(server: ComfyServer) -> str:
    with ComfyClient(server.url) as client:
        kind: str = client.system_stats()["devices"][0]["type"]
    return kind


def test_a_gpu_is_taken_once_and_whenever_it_comes(
    machine: GpuMachine, serve: Callable[..., ComfyServer]
) -> None:
    server = serve(("--disable-all-custom-nodes",))
    status, answer = set_device(server)
    assert status == 503
    assert "no GPU is attached" in answer["error"]
    assert device_of(server) == "cpu"
    machine.attach()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(set_device, [server] * 4))
    assert [status for status, _ in answers] == [200] * 4
    assert sorted(answer["status"] for _, answer in answers) == ["already"] * 3 + ["awake"]
    assert {(answer["name"], answer["vram"]) for _, answer in answers} == {
        ("NVIDIA L40S (simulated)", 48 * 1024**3)
    }
    assert device_of(server) == "cuda"


def test_a_gpu_that_was_never_hidden_is_no_error(
    machine: GpuMachine, serve: Callable[..., ComfyServer], tmp_path: Path
) -> None:
    machine.attach()
    server = serve(machine.nodes(snapshot.lay_out(tmp_path)), hide_cuda=False)
    status, answer = set_device(server)
    assert (status, answer["status"]) == (200, "never hidden")
    assert answer["name"] == "NVIDIA L40S (simulated)"


def test_custom_nodes_that_may_stay_on_the_cpu_are_named(
    machine: GpuMachine, serve: Callable[..., ComfyServer], tmp_path: Path
) -> None:
    for name, text in NODES.items():
        (tmp_path / "odd" / name).mkdir(parents=True)
        (tmp_path / "odd" / name / "__init__.py").write_text(text + "NODE_CLASS_MAPPINGS = {}\n")
    server = serve(machine.nodes(tmp_path / "odd"))
    log = server.log.read_text()
    assert "greedy/__init__.py:3 (custom node greedy) wants the GPU" in log
    assert machine.driver_calls() == []
    machine.attach()
    _, answer = set_device(server)
    known, asked, refused = answer["warnings"]
    assert "ComfyUI-KJNodes chooses attention functions" in known
    assert "custom node curious asked" in asked
    assert "curious/__init__.py:2" in asked
    assert "custom node greedy" in refused
    assert known in log
    assert asked in log


def test_a_worker_takes_its_gpu_and_keeps_its_comfyui(
    machine: GpuMachine, bucket: LocalBucket, tmp_path: Path
) -> None:
    home = tmp_path / "worker"
    worker = ComfyWorker(machine.installation, home, bucket, POLICY, device="gpu", snapshot=True)
    try:
        worker.boot()
        first = worker.server.pid
        machine.attach()
        worker.wake()
        assert (worker.server.pid, worker.fell_back) == (first, None)
        assert device_of(worker.server) == "cuda"
    finally:
        worker.close()


def test_clones_of_one_snapshot_draw_different_numbers(machine: GpuMachine) -> None:
    machine.attach()
    command = [str(machine.installation.python), "-c", CLONES]
    places = [str(machine.installation.checkout), str(snapshot.HELPER)]
    switch = {"MEMORY_SNAPSHOT_HIDE_CUDA": "1"}
    done = subprocess.run(
        command + places, capture_output=True, text=True, timeout=120, check=False, env=switch
    )
    drawn = [line.split() for line in done.stdout.splitlines()]
    asleep = [numbers for woken, *numbers in drawn if woken == "False"]
    awake = [numbers for woken, *numbers in drawn if woken == "True"]
    assert (len(asleep), len(awake)) == (2, 2), done.stderr
    assert asleep[0] == asleep[1]
    for numbers in zip(asleep[0], *awake, strict=True):
        assert len(set(numbers)) == 3
