"""Whether a literal value will do for an input: converted, in its range, among its choices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from comfy_runner.signatures import Field, is_model_file
from comfy_runner.validation.findings import Kind, brief, listed, near, shortened

Fault = tuple[Kind, str, bool]
"""Kind, message, and whether it is a model that is missing."""

CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "INT": int,
    "FLOAT": float,
    "STRING": str,
    "BOOLEAN": bool,
}
"""How ComfyUI converts a value before it looks at it: `"3"` is a number, 0 is false."""

_INPUT_MARK = " [input]"


def fault_of_value(field: Field, value: Any, *, media: Collection[str]) -> Fault | None:
    """Say what is wrong with a value that is no link; None if nothing is."""
    if isinstance(value, dict) and "__value__" in value:
        value = value["__value__"]
    if isinstance(value, str) and value in media:
        return None
    try:
        value = _converted(field.type.name, value)
    except (TypeError, ValueError, OverflowError) as error:
        what = f"Failed to convert an input value to a {field.type.name} value"
        return Kind.WRONG_TYPE, f"{what}: {brief(value)}, {shortened(str(error))}", False
    if field.files is not None:
        return _fault_of_file(field.files, value)
    return (
        None
        if field.own
        else _fault_of_range(field.limits, value) or _fault_of_choice(field, value)
    )


def _converted(type_name: Any, value: Any) -> Any:
    conversion = CONVERSIONS.get(type_name) if isinstance(type_name, str) else None
    return value if conversion is None else conversion(value)


def _fault_of_range(limits: Mapping[str, Any], value: Any) -> Fault | None:
    try:
        if "min" in limits and value < limits["min"]:
            told = f"Value {brief(value)} smaller than min of {limits['min']}"
            return Kind.TOO_SMALL, f"{told}{_span(limits)}", False
        if "max" in limits and value > limits["max"]:
            told = f"Value {brief(value)} bigger than max of {limits['max']}"
            return Kind.TOO_BIG, f"{told}{_span(limits)}", False
    except TypeError as error:
        return Kind.STUMBLES, f"{brief(value)} cannot be compared with its range: {error}", False
    return None


def _span(limits: Mapping[str, Any]) -> str:
    if len(limits) < 2:
        return ""
    return f": use {limits['min']} to {limits['max']}"


def _fault_of_choice(field: Field, value: Any) -> Fault | None:
    choices = field.choices
    if choices is None or value in choices:
        return None
    if field.folder is None and not is_model_file(value):
        told = f"Value not in list: {brief(value)}{near(value, choices)}"
        return Kind.NOT_LISTED, f"{told}; there are: {listed(choices)}", False
    place = f" in models/{field.folder}" if field.folder else " among its choices"
    told = f"Value not in list: no file {brief(value)}{place}{near(value, choices)}"
    return Kind.NOT_LISTED, f"{told}; there are: {listed(choices)}", isinstance(value, str)


def _fault_of_file(files: frozenset[Any], value: Any) -> Fault | None:
    if not isinstance(value, str):
        return Kind.STUMBLES, f"{brief(value)} is not the name of a file", False
    if value.removesuffix(_INPUT_MARK) in files:
        return None
    told = f"Custom validation failed for node: Invalid file: {brief(value)}{near(value, files)}"
    return Kind.NO_FILE, f"{told}; send it with the job, as media of this name", False
