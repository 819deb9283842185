"""Tensors described before they exist: a name, a shape and what to fill it with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Fill = Literal["zeros", "ones"] | float
"""All zeros, all ones, or normal noise of this standard deviation."""


@dataclass(frozen=True)
class Tensor:
    """What one tensor of a model will be."""

    shape: tuple[int, ...]
    fill: Fill = "zeros"
    constant: float | None = None
    """The one value to hold instead of `fill`."""
    smooth: bool = False
    """Whether the last two dimensions repeat one number: a kernel that blurs as it mixes."""


Model = dict[str, Tensor]
"""A model's tensors by name, in the order in which its file lists them."""


def linear(
    name: str, outputs: int, inputs: int, *, bias: bool = True, silent: bool = False
) -> Model:
    """Describe a dense layer; a silent one is all zeros, so its residual block does nothing."""
    fill: Fill = "zeros" if silent else 0.7 / math.sqrt(inputs)
    weight = {f"{name}.weight": Tensor((outputs, inputs), fill)}
    return weight | _bias(name, outputs, wanted=bias)


def convolution(
    name: str,
    outputs: int,
    inputs: int,
    *,
    size: int = 3,
    bias: bool = True,
    gain: float = 1.0,
    smooth: bool = False,
) -> Model:
    """Describe a square convolution whose output varies `gain` times as much as its input."""
    across = size * size if smooth else size
    fill = gain / (math.sqrt(inputs) * across)
    weight = {f"{name}.weight": Tensor((outputs, inputs, size, size), fill, smooth=smooth)}
    return weight | _bias(name, outputs, wanted=bias)


def normalisation(name: str, width: int) -> Model:
    """Describe a normalisation layer that scales by one and shifts by nothing."""
    return {f"{name}.weight": Tensor((width,), "ones"), f"{name}.bias": Tensor((width,))}


def _bias(name: str, width: int, *, wanted: bool) -> Model:
    return {f"{name}.bias": Tensor((width,))} if wanted else {}
