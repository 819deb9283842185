"""Gives a torch that is built for the CPU an NVIDIA GPU that computes nothing but looks real.

Python imports this before anything else if its folder is on PYTHONPATH. SIMULATED_GPU names a
folder: the GPU is attached while `present` is in it, and what reaches the driver is written to
`calls`, one word a line.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NAME = "NVIDIA L40S (simulated)"
MEMORY = 48 * 1024**3
FOLDER = Path(os.environ["SIMULATED_GPU"])


def driver(call: str) -> bool:
    """Note that the driver is asked; return whether it finds a GPU."""
    with (FOLDER / "calls").open("a") as calls:
        calls.write(f"{call}\n")
    return (FOLDER / "present").exists()


def simulate(torch: Any) -> None:
    cuda, cudnn = torch.cuda, torch.backends.cudnn
    torch.version.cuda = "12.8"
    cudnn.is_available, cudnn.version = lambda: True, lambda: 91100
    cuda.is_available = lambda: driver("is_available")
    cuda.device_count = lambda: int(driver("device_count"))

    def lazy_init() -> None:
        if not driver("init"):
            raise RuntimeError("Found no NVIDIA driver on your system (simulated)")

    def working(answer: Any) -> Any:
        def work(*_args: Any, **_options: Any) -> Any:
            cuda._lazy_init()
            return answer

        return work

    properties = SimpleNamespace(
        name=NAME, total_memory=MEMORY, major=8, minor=9, multi_processor_count=142
    )
    stats = {"reserved_bytes.all.current": 0, "active_bytes.all.current": 0}
    cuda._lazy_init = lazy_init
    cuda.current_device = working(torch.device("cuda", 0))
    cuda.get_device_properties = working(properties)
    cuda.get_device_name = working(NAME)
    cuda.get_device_capability = working((8, 9))
    cuda.get_allocator_backend = lambda: "native"
    cuda.memory_stats = working(stats)
    cuda.mem_get_info = working((MEMORY, MEMORY))
    for name in ("set_device", "empty_cache", "ipc_collect", "synchronize"):
        setattr(cuda, name, working(None))
    torch.ones = on_the_cpu(torch.ones, cuda)


def on_the_cpu(create: Any, cuda: Any) -> Any:
    def ones(*args: Any, device: Any = None, **options: Any) -> Any:
        if str(device).startswith("cuda"):
            cuda._lazy_init()
            device = "cpu"
        return create(*args, device=device, **options)

    return ones


class AfterTorch(importlib.abc.MetaPathFinder):
    busy = False

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != "torch" or self.busy:
            return None
        self.busy = True
        spec: Any = importlib.util.find_spec(fullname)
        self.busy = False
        run = spec.loader.exec_module

        def run_and_simulate(module: Any) -> None:
            run(module)
            simulate(module)

        spec.loader.exec_module = run_and_simulate
        return spec


sys.meta_path.insert(0, AfterTorch())
