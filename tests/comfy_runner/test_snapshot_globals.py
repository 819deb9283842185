"""ComfyUI with its GPU hidden and shown, compared with one that had it all along: every global."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from comfy_runner.installation import Installation
from comfy_runner.server import ComfyServer
from tests.comfy_runner.gpu_machine import HERE, GpuMachine, set_device, start

pytestmark = [pytest.mark.live, pytest.mark.slow]

DIFFERS = {
    r"__(mp_)?main__\.(_|event_loop)": "the server itself: its routes, ours among them, its queue",
    r".*\.folder_names_and_paths": "the folder that the helper lies in",
    r"nodes\.LOADED_MODULE_DIRS": "the helper",
    r"cuda_malloc\.torch_spec": "a spec that nobody uses, found through the helper",
    r"folder_paths\.filename_list_cache": "listings are made again: files may be others by then",
}
"""What may be different after all, as a pattern, and why it may."""

HIDDEN = {
    "comfy.model_management.total_vram",
    "model_management.total_vram",
    "torch.accelerator.device_count",
    "torch.accelerator.is_available",
    "torch.cuda._lazy_init",
    "torch.cuda.current_device",
    "torch.cuda.device_count",
    "torch.cuda.is_available",
    "torch.cudnn.benchmark",
}
"""What else is different while the GPU is hidden: all that there is to bring back."""

FLAGS = ("--fast", "autotune")


def every_global(server: ComfyServer) -> dict[str, str]:
    answer = requests.get(f"{server.url}/test/globals", timeout=60)
    told: dict[str, str] = answer.json()
    return told


def differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    """Return the names of globals that are not the same, but for those that may differ."""
    names = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    return {name for name in names if not any(re.fullmatch(each, name) for each in DIFFERS)}


def test_no_global_is_other_than_after_a_start_with_the_gpu(
    installation: Installation, tmp_path: Path
) -> None:
    machine = GpuMachine(installation, tmp_path)
    server = machine.server((*machine.nodes(HERE / "snapshot_nodes"), *FLAGS))
    try:
        machine.attach()
        start(server)
        usual = every_global(server)
        server.kill()
        assert {"init", "is_available"} <= set(machine.driver_calls())
        machine.detach()
        start(server, hide_cuda=True)
        assert differing(usual, every_global(server)) == HIDDEN
        assert machine.driver_calls() == []
        machine.attach()
        assert set_device(server)[0] == 200
        assert differing(usual, every_global(server)) == set()
        assert len(usual) > 10_000
    finally:
        server.kill()
