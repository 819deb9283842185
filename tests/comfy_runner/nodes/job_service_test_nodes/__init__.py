"""ComfyUI nodes that fail, sleep, step and die on purpose; run by ComfyUI's own interpreter."""

# ruff: noqa: N802, T201 (ComfyUI's names; its log)

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any, ClassVar

import comfy.utils
import torch

from . import faults  # noqa: TID252 (ComfyUI gives this package a name of its own)


class _TestNode:
    CATEGORY = "testing"
    FUNCTION = "go"
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("IMAGE",)

    @classmethod
    def IS_CHANGED(cls, **_inputs: Any) -> float:
        """Never take the result of an earlier run."""
        return time.time()


def _image(shade: float = 0.5) -> torch.Tensor:
    return torch.full((1, 16, 16, 3), shade)


class FailNode(_TestNode):
    """Raises `ValueError` with the message it is given."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"message": ("STRING", {"default": "deliberate failure"})}}

    def go(self, message: str) -> Any:
        raise ValueError(message)


class SleepNode(_TestNode):
    """Sleeps in one piece: it cannot be interrupted."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"seconds": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 600.0})}}

    def go(self, seconds: float) -> Any:
        time.sleep(seconds)
        return (_image(),)


class StepNode(_TestNode):
    """Reports steps with a bar, as a sampler does: it can be interrupted at each.

    Whatever comes `after` is made before, so that others may run before this one.
    """

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {
            "required": {
                "steps": ("INT", {"default": 10, "min": 1, "max": 10000}),
                "seconds": ("FLOAT", {"default": 0.1, "min": 0.0, "max": 60.0, "step": 0.001}),
            },
            "optional": {"after": ("IMAGE",)},
        }

    def go(self, steps: int, seconds: float, after: Any = None) -> Any:
        bar = comfy.utils.ProgressBar(steps)
        for _ in range(steps):
            time.sleep(seconds)
            bar.update(1)
        return (_image(),)


class SlowToCheckNode(StepNode):
    """A `StepNode` whose inputs take half a second to check."""

    @classmethod
    async def VALIDATE_INPUTS(cls, steps: int) -> bool:
        await asyncio.sleep(0.5)
        return True


class ExitNode(_TestNode):
    """Ends the process, as a crash of a native library does; only once if `once` names a file."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"once": ("STRING", {"default": ""})}}

    def go(self, once: str) -> Any:
        if once and Path(once).exists():
            return (_image(),)
        if once:
            Path(once).touch()
        print("ExitNode ends the process", flush=True)
        os._exit(77)


class TextNode(_TestNode):
    """Shows a text, as PreviewAny does."""

    RETURN_TYPES: ClassVar[tuple[str, ...]] = ()
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"text": ("STRING", {"default": "hello"})}}

    def go(self, text: str) -> Any:
        return {"ui": {"text": [text]}}


class NothingNode(_TestNode):
    """An output node that promises a file by its `filename_prefix` and writes none."""

    RETURN_TYPES: ClassVar[tuple[str, ...]] = ()
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"filename_prefix": ("STRING", {"default": "nothing"})}}

    def go(self, filename_prefix: str) -> Any:
        return {}


NODE_CLASS_MAPPINGS = {
    node.__name__: node
    for node in (
        *(FailNode, SleepNode, StepNode, SlowToCheckNode, ExitNode, TextNode, NothingNode),
        *faults.NODES,
    )
}
