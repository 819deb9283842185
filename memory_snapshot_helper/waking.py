"""Bringing CUDA back: real functions, a real kernel, what was computed without it, and proof.

The numbers and names are those of ComfyUI 0.3.64 to 0.3.75; newer ones are refreshed where they
are there. `docs/snapshot.md` lists every one with its reason.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from memory_snapshot_helper.hiding import Curtain

Modules = Mapping[str, Any]
"""What is imported, by name: `sys.modules`."""

MEGABYTE = 1024 * 1024
FLAGS_SECONDS = 10.0
DEVICE = 0
"""A current device is a thread's own, and that of a new thread is this one."""


class NotAwake(RuntimeError):
    """CUDA could not be brought back; the message says why."""


def wake(curtain: Curtain, modules: Modules = sys.modules) -> dict[str, Any]:
    """Bring CUDA back and return what is there: see `describe`, and `ms`.

    Raises:
        NotAwake: it could not; CUDA is hidden again and a later call may succeed.
    """
    began = time.monotonic()
    curtain.show()
    try:
        _start_cuda(modules["torch"])
        for management in managements(modules):
            refresh(management, modules["torch"])
        _forget(modules)
        reseed(modules)
        _verify(modules)
        found = describe(modules)
    except BaseException as error:
        curtain.hide_again()
        if isinstance(error, NotAwake) or not isinstance(error, Exception):
            raise
        # Whatever CUDA, torch or this version of ComfyUI raises is the reason that is asked for.
        raise NotAwake(f"{type(error).__name__}: {error}") from error
    return {**found, "ms": round((time.monotonic() - began) * 1000)}


def managements(modules: Modules) -> list[Any]:
    """Return ComfyUI's modules that manage models.

    There are two in 0.3.75: one of its modules imports it by its bare name, which makes another.
    """
    names = ("comfy.model_management", "model_management")
    return [modules[name] for name in names if name in modules]


def describe(modules: Modules = sys.modules) -> dict[str, Any]:
    """Return `device`, its `name` and its `vram` in bytes, as ComfyUI sees them now."""
    management = managements(modules)[0]
    device = management.get_torch_device()
    name = management.get_torch_device_name(device)
    if device.type == "cuda":
        name = modules["torch"].cuda.get_device_name(device)
    return {
        "device": str(device),
        "name": str(name),
        "vram": int(management.get_total_memory(device)),
    }


def refresh(management: Any, torch: Any) -> None:
    """Compute anew what one module for models has from a start without the GPU.

    Without it the device is the CPU, whose memory is the machine's: that stands in `total_vram`.
    What may be pinned is a share of the memory of the machine that made the snapshot; which share
    depends on the version, so that it is scaled.
    """
    memory_now = management.get_total_memory(torch.device("cpu")) / MEGABYTE
    if getattr(management, "MAX_PINNED_MEMORY", 0) > 0:
        management.MAX_PINNED_MEMORY *= memory_now / management.total_ram
    management.total_ram = memory_now
    device = management.get_torch_device()
    management.total_vram = management.get_total_memory(device) / MEGABYTE
    for cache in ("STREAMS", "stream_counters"):
        getattr(management, cache, {}).clear()
    if hasattr(management, "set_cudnn_benchmark"):
        management.set_cudnn_benchmark()
    elif _wants_autotune(management) and torch.backends.cudnn.is_available():
        torch.backends.cudnn.benchmark = True


def reseed(modules: Modules) -> None:
    """Give every source of random numbers a seed of its own: clones have the same otherwise."""
    random.seed()
    if "numpy" in modules:
        modules["numpy"].random.seed()
    if "torch" in modules:
        modules["torch"].seed()  # that of CUDA too


def _start_cuda(torch: Any) -> None:
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        raise NotAwake(f"this torch ({torch.__version__}) is built without CUDA")
    if not torch.cuda.is_available():
        raise NotAwake("torch.cuda.is_available() is False: no GPU is attached, or none yet")
    torch.cuda.init()
    torch.cuda.set_device(DEVICE)
    answer = torch.ones(1, device=f"cuda:{DEVICE}").add_(1).item()
    if answer != 2:
        raise NotAwake(f"cuda:{DEVICE} computed 1 + 1 = {answer}")


def _wants_autotune(management: Any) -> bool:
    features = getattr(management, "PerformanceFeature", None)
    fast = getattr(getattr(management, "args", None), "fast", None) or ()
    return getattr(features, "AutoTune", None) in fast


def _forget(modules: Modules) -> None:
    """Drop whatever may know the CPU as the device, and listings of another machine's files."""
    folders = modules.get("folder_paths")
    if folders is not None:
        folders.filename_list_cache.clear()
        folders.cache_helper.clear()
    server = getattr(modules.get("server"), "PromptServer", None)
    if server is None:
        return
    queue = server.instance.prompt_queue
    for flag in ("unload_models", "free_memory"):  # and the results that were kept
        queue.set_flag(flag, True)  # noqa: FBT003 (ComfyUI's)
    if not _within(FLAGS_SECONDS, lambda: not queue.get_flags(reset=False)):
        raise NotAwake("the thread that runs workflows does not answer")


def _within(seconds: float, so: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not so():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def _verify(modules: Modules) -> None:
    problems = [problem for each in managements(modules) for problem in _problems(each)]
    if problems:
        raise NotAwake("; ".join(problems))


def _problems(management: Any) -> Iterator[str]:
    device = management.get_torch_device()
    if device.type != "cuda":
        yield f"{management.__name__} computes on {device}"
    memory = management.get_total_memory(device) / MEGABYTE
    if management.total_vram != memory:
        yield f"{management.__name__}.total_vram is {management.total_vram}, not {memory}"
    if management.current_loaded_models:
        yield f"{management.__name__} has models that were loaded before"
    if getattr(management, "STREAMS", None):
        yield f"{management.__name__} has streams from before"
