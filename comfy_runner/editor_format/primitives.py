"""The value that a primitive node gives to the widgets it is linked to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from comfy_runner.editor_format.document import Node
from comfy_runner.editor_format.node_class import Widget
from comfy_runner.editor_format.values import as_shown, is_number, rounded

_NO_MATTER = {
    "default",
    "forceInput",
    "defaultInput",
    "control_after_generate",
    "multiline",
    "tooltip",
    "dynamicPrompts",
}
_UNLIMITED = {"min": -math.inf, "max": math.inf, "step": 1}


def given(primitive: Node, ends: Sequence[Widget]) -> Any:
    """Return the value of a primitive node as it fits all the widgets that it is linked to.

    The editor narrows a number to the range that these have in common, and rounds it to
    their common step; where ranges or other options differ, the first widget's hold.
    """
    value: Any = next(iter(_values(primitive)), None)
    if not ends:
        return value
    first = ends[0]
    if first.type not in ("INT", "FLOAT"):
        return as_shown(first, value)
    options: Mapping[str, Any] = first.options
    for widget in ends:
        merged = _merged(options, widget.options) if widget.type == first.type else None
        if merged is not None:
            options = merged
            value = rounded(first.type, options, _clamped(value, options))
    return value


def _values(primitive: Node) -> Sequence[Any]:
    values = primitive.values
    return values if isinstance(values, tuple) else tuple(values.values())


def _clamped(value: Any, options: Mapping[str, Any]) -> Any:
    if not is_number(value):
        return value
    return min(max(value, options["min"]), options["max"])


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the options that two numbers have in common, None where they do not go together."""
    a, b = ({**_UNLIMITED, **_numbers(options)} for options in (one, other))
    if a["min"] > b["max"] or a["max"] < b["min"]:
        return None
    common = {
        "min": max(a["min"], b["min"]),
        "max": min(a["max"], b["max"]),
        "step": _common_multiple(a["step"], b["step"]),
    }
    keys = {*one, *other} - _NO_MATTER - {*common}
    if any(one.get(key) != other.get(key) for key in keys):
        return None
    return {**one, **other, **common}


def _numbers(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: options[key] for key in _UNLIMITED if is_number(options.get(key))}


def _common_multiple(one: float, other: float) -> float:
    """Return the least common multiple, of fractions too."""
    a, b = one, other
    while b:
        a, b = b, math.fmod(a, b)
    return abs(one * other) / a if a else 1
