"""Nodes that spoil ComfyUI, its memory or its disk, each in one way; run by ComfyUI itself."""

# ruff: noqa: N802, T201 (ComfyUI's names; its log)

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import comfy.utils
import folder_paths
import torch
from PIL import Image

ABSURD_FLOATS = 2**50


class _Faulty:
    """Hands an image on, so that it can stand before or behind any other node."""

    CATEGORY = "testing"
    FUNCTION = "go"
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("IMAGE",)
    INPUTS: ClassVar[dict[str, Any]] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": cls.INPUTS, "optional": {"after": ("IMAGE",)}}

    @classmethod
    def IS_CHANGED(cls, **_inputs: Any) -> float:
        """Never take the result of an earlier run."""
        return time.time()


def _image(after: torch.Tensor | None) -> torch.Tensor:
    return torch.full((1, 16, 16, 3), 0.5) if after is None else after


class RaiseNode(_Faulty):
    """Raises `ValueError` with a path of this machine in its message."""

    def go(self, after: torch.Tensor | None = None) -> Any:
        raise ValueError(f"RaiseNode cannot read {Path(__file__).resolve()}")


class ExitAfterNode(_Faulty):
    """Ends the process, as a crash of a native library does; only once if `once` names a file."""

    INPUTS: ClassVar[dict[str, Any]] = {"once": ("STRING", {"default": ""})}

    def go(self, once: str, after: torch.Tensor | None = None) -> Any:
        if once and Path(once).exists():
            return (_image(after),)
        if once:
            Path(once).touch()
        print(f"ExitAfterNode of {Path(__file__).resolve()} ends the process", flush=True)
        os._exit(77)


class SysExitNode(_Faulty):
    """Raises `SystemExit`, which ends the thread that runs prompts and nothing else.

    Only once if `once` names a file.
    """

    INPUTS: ClassVar[dict[str, Any]] = {"once": ("STRING", {"default": ""})}

    def go(self, once: str, after: torch.Tensor | None = None) -> Any:
        if once and Path(once).exists():
            return (_image(after),)
        if once:
            Path(once).touch()
        sys.exit("SysExitNode ends its thread")


class HungryNode(_Faulty):
    """Asks for more memory than there is, in one of three ways.

    Only while the file `hungry` exists, if it is named; only once if `once` names a file.
    """

    INPUTS: ClassVar[dict[str, Any]] = {
        "how": (["torch", "allocate", "python"],),
        "hungry": ("STRING", {"default": ""}),
        "once": ("STRING", {"default": ""}),
    }

    def go(self, how: str, hungry: str, once: str, after: torch.Tensor | None = None) -> Any:
        if (hungry and not Path(hungry).exists()) or (once and Path(once).exists()):
            return (_image(after),)
        if once:
            Path(once).touch()
        if how == "torch":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        if how == "python":
            raise MemoryError
        return (torch.empty(ABSURD_FLOATS),)


class DeafNode(_Faulty):
    """Computes in one piece while it holds Python's lock: ComfyUI answers nobody meanwhile."""

    INPUTS: ClassVar[dict[str, Any]] = {"seconds": ("FLOAT", {"default": 1.0, "max": 600.0})}

    def go(self, seconds: float, after: torch.Tensor | None = None) -> Any:
        before = sys.getswitchinterval()
        sys.setswitchinterval(seconds)  # how long other threads wait before they ask for the lock
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                pass
        finally:
            sys.setswitchinterval(before)
        return (_image(after),)


class SayNode(_Faulty):
    """Prints a text a moment after it has ended, which stays in Python's buffer until later."""

    INPUTS: ClassVar[dict[str, Any]] = {"text": ("STRING", {"default": "hello"})}

    def go(self, text: str, after: torch.Tensor | None = None) -> Any:
        threading.Timer(0.1, print, [text]).start()
        return (_image(after),)


class ManyFilesNode(_Faulty):
    """Saves `count` pictures, each after a pause of `seconds` with one step of a bar."""

    OUTPUT_NODE = True
    INPUTS: ClassVar[dict[str, Any]] = {
        "filename_prefix": ("STRING", {"default": "many"}),
        "count": ("INT", {"default": 1, "min": 1, "max": 1000}),
        "seconds": ("FLOAT", {"default": 0.0, "max": 60.0}),
        "side": ("INT", {"default": 16, "min": 1, "max": 4096}),
    }

    def go(
        self,
        filename_prefix: str,
        count: int,
        seconds: float,
        side: int,
        after: torch.Tensor | None = None,
    ) -> Any:
        """Save pictures of noise, which do not compress: about 3 bytes a pixel."""
        place = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory(), side, side
        )
        folder, stem, first, subfolder, _ = place
        bar = comfy.utils.ProgressBar(count)
        saved = []
        for number in range(first, first + count):
            time.sleep(seconds)
            name = f"{stem}_{number:05}_.png"
            pixels = torch.randint(0, 256, (side, side, 3), dtype=torch.uint8).numpy()
            Image.fromarray(pixels).save(Path(folder) / name)
            saved.append({"filename": name, "subfolder": subfolder, "type": "output"})
            bar.update(1)
        return {"ui": {"images": saved}, "result": (_image(after),)}


class StepsNode(_Faulty):
    """Reports steps with a bar; it can be interrupted at each, and stand behind other nodes."""

    INPUTS: ClassVar[dict[str, Any]] = {
        "steps": ("INT", {"default": 10, "min": 1, "max": 10000}),
        "seconds": ("FLOAT", {"default": 0.1, "max": 60.0, "step": 0.001}),
    }

    def go(self, steps: int, seconds: float, after: torch.Tensor | None = None) -> Any:
        bar = comfy.utils.ProgressBar(steps)
        for _ in range(steps):
            time.sleep(seconds)
            bar.update(1)
        return (_image(after),)


class StubbornNode(_Faulty):
    """Sleeps in one piece: it cannot be interrupted, and may stand behind other nodes."""

    INPUTS: ClassVar[dict[str, Any]] = {"seconds": ("FLOAT", {"default": 1.0, "max": 600.0})}

    def go(self, seconds: float, after: torch.Tensor | None = None) -> Any:
        time.sleep(seconds)
        return (_image(after),)


NODES = (
    *(RaiseNode, ExitAfterNode, SysExitNode, HungryNode, DeafNode, SayNode),
    *(ManyFilesNode, StepsNode, StubbornNode),
)
