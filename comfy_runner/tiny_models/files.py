"""Write described models as the two kinds of file that ComfyUI loads."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import torch

from comfy_runner.tiny_models.tensors import Fill, Model, Tensor

_SEED = 31
"""Picked from ninety for a decoder whose pictures are not all of one tint."""

_STRIDES = (1, 3, 5, 7)
"""Steps between neighbours along each dimension, innermost first: small, so that a large tensor
is a view of few numbers, and odd, so that its rows and columns differ from one another."""


def write_checkpoint(model: Model, path: Path) -> None:
    """Write a `.ckpt` of views: large on paper, small on disk.

    torch.save keeps how tensors share memory, and torch.load (also with `weights_only`, as
    ComfyUI calls it) restores it. So every tensor here is a view, with overlapping strides, of
    the one stretch of noise kept for its standard deviation, and a constant tensor is a view of
    a single number. A checkpoint of 140 million parameters takes half a megabyte.
    """
    alike: dict[Fill, dict[str, Tensor]] = {}
    views: dict[str, Any] = {}
    for name, tensor in model.items():
        if tensor.constant is None:
            alike.setdefault(_shared(tensor.fill), {})[name] = tensor
        else:
            views[name] = torch.full(tensor.shape, tensor.constant)
    generator = torch.Generator().manual_seed(_SEED)
    for fill, tensors in alike.items():
        views |= _views(fill, tensors, generator)
    torch.save({"state_dict": {name: views[name] for name in model}}, path)


def write_safetensors(model: Model, path: Path) -> None:
    """Write a `.safetensors` of 32-bit floats, every number of it.

    The format is eight bytes of header length, the header in JSON, and the data in its order:
    https://github.com/huggingface/safetensors#format
    """
    generator = torch.Generator().manual_seed(_SEED)
    header: dict[str, Any] = {}
    data = bytearray()
    for name, tensor in model.items():
        start = len(data)
        data += _numbers(tensor, generator).numpy().astype("<f4").tobytes()
        place = [start, len(data)]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": place}
    text = json.dumps(header, separators=(",", ":")).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))


def _shared(fill: Fill) -> Fill:
    """Round a standard deviation to half octaves, so that more tensors share one stretch."""
    if isinstance(fill, str):
        return fill
    return float(2 ** (round(math.log2(fill) * 2) / 2))


def _views(fill: Fill, tensors: Model, generator: Any) -> dict[str, Any]:
    if isinstance(fill, str):
        number = torch.full((1,), float(fill == "ones"), dtype=torch.float16)
        return {name: number.expand(tensor.shape) for name, tensor in tensors.items()}
    length = max(_span(tensor) for tensor in tensors.values())
    stretch = (torch.randn(length, generator=generator) * fill).to(torch.float16)
    return {
        name: stretch.as_strided(tensor.shape, _strides(tensor))
        for name, tensor in tensors.items()
    }


def _strides(tensor: Tensor) -> tuple[int, ...]:
    strides = _STRIDES[: len(tensor.shape)][::-1]
    return (*strides[:-2], 0, 0) if tensor.smooth else strides


def _span(tensor: Tensor) -> int:
    steps = zip(tensor.shape, _strides(tensor), strict=True)
    return 1 + sum((size - 1) * stride for size, stride in steps)


def _numbers(tensor: Tensor, generator: Any) -> Any:
    if tensor.constant is not None:
        return torch.full(tensor.shape, tensor.constant)
    if isinstance(tensor.fill, str):
        return torch.full(tensor.shape, float(tensor.fill == "ones"))
    return torch.randn(tensor.shape, generator=generator) * tensor.fill
