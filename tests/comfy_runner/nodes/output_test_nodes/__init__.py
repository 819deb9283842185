"""ComfyUI nodes that leave behind whatever a test asks for; run by ComfyUI's own interpreter."""

# ruff: noqa: N802 (ComfyUI's names)

from __future__ import annotations

import base64
import json
import time
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import folder_paths
import torch


class EmitNode:
    """Writes `files` (path to base64) and shows `ui`, both JSON, as any custom node might.

    In both, `$PREFIX` is the `filename_prefix`, and `$OUTPUT` and `$TEMP` are ComfyUI's folders.
    """

    CATEGORY = "testing"
    FUNCTION = "go"
    OUTPUT_NODE = True
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        text = ("STRING", {"default": "", "multiline": True})
        return {"required": {"filename_prefix": text, "files": text, "ui": text}}

    @classmethod
    def IS_CHANGED(cls, **_inputs: Any) -> float:
        """Never take the result of an earlier run."""
        return time.time()

    def go(self, filename_prefix: str, files: str, ui: str) -> Any:
        folders = {
            "$PREFIX": filename_prefix,
            "$OUTPUT": folder_paths.get_output_directory(),
            "$TEMP": folder_paths.get_temp_directory(),
        }
        for mark, value in folders.items():
            files, ui = files.replace(mark, value), ui.replace(mark, value)
        for path, content in json.loads(files).items():
            target = Path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(base64.b64decode(content))
        return {"ui": json.loads(ui)}


class FramesNode:
    """Gives pictures that differ, as frames do; encoders make one frame of equal ones."""

    CATEGORY = "testing"
    FUNCTION = "go"
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        size = ("INT", {"default": 16, "min": 1, "max": 4096})
        return {"required": {"width": size, "height": size, "frames": size}}

    def go(self, width: int, height: int, frames: int) -> Any:
        shades = torch.arange(frames).reshape(-1, 1, 1, 1) / frames
        return (shades.expand(frames, height, width, 3).clone(),)


class MeshNode:
    """Gives a mesh of one triangle, for ComfyUI's SaveGLB."""

    CATEGORY = "testing"
    FUNCTION = "go"
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("MESH",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {}}

    def go(self) -> Any:
        vertices = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
        return (SimpleNamespace(vertices=vertices, faces=torch.tensor([[[0, 1, 2]]])),)


class SvgNode:
    """Gives an SVG, for ComfyUI's SaveSVGNode."""

    CATEGORY = "testing"
    FUNCTION = "go"
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ("SVG",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"svg": ("STRING", {"default": "<svg/>"})}}

    def go(self, svg: str) -> Any:
        return (SimpleNamespace(data=[BytesIO(svg.encode())]),)


NODE_CLASS_MAPPINGS = {node.__name__: node for node in (EmitNode, FramesNode, MeshNode, SvgNode)}
