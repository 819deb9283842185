"""The values of a node's widgets, as the workflow has them or as the class begins with."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from comfy_runner.editor_format.document import Findings, Node
from comfy_runner.editor_format.node_class import ABSENT, BROWSER_MADE, NodeClass, Widget

Values = Mapping[str, Any]

_LEFT_BEHIND = (None, "", "image", "upload", "fixed", "increment", "decrement", "randomize")
"""What the editor's buttons and controls leave at the end of the values of older workflows."""

_ANNOTATED = re.compile(r"\[(input|output|temp)\]", re.IGNORECASE)
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_TEXT_AREAS = ("MARKDOWN", "TEXTAREA")


def values_of(node: Node, kind: NodeClass) -> dict[str, Any]:
    """Return the value of every widget of the node, by name."""
    values = {widget.name: widget.default for widget in kind.widgets}
    values.update((w.name, as_shown(w, value)) for w, value in _assigned(node, kind))
    values = with_folders(values, kind)
    if isinstance(node.values, Mapping):
        values |= {k: v for k, v in node.values.items() if k not in values and _is_plain(v)}
    return values


def with_folders(values: Values, kind: NodeClass) -> dict[str, Any]:
    """Return the values with the folder in the name of a file, where it has an upload button."""
    changed = dict(values)
    for widget in kind.widgets:
        media = widget.options.get("media") if widget.type == "IMAGEUPLOAD" else None
        if isinstance(media, str) and media in changed:
            changed[media] = _annotated(changed[media] or _first(kind, media), widget.options)
    return changed


def misfits(node: Node, kind: NodeClass, linked: frozenset[str], findings: Findings) -> None:
    """Note the values that this class cannot have been saved with; linked inputs need none."""
    pointer = f"{node.pointer}/widgets_values"
    stored = [widget for widget in kind.widgets if widget.stored]
    extra = () if isinstance(node.values, Mapping) else _positional(node, kind)[len(stored) :]
    if any(not _is_left_behind(value) for value in extra):
        findings.add(
            pointer,
            f"{node.label} has {len(node.values)} widget values, and the class has only "
            f"{len(stored)} widgets here ({', '.join(w.name for w in stored) or 'none'}): it was "
            "saved with another version of the class",
        )
        return
    exact = len(node.values) == len(stored)
    for widget in kind.widgets:
        if widget.type in BROWSER_MADE and widget.name not in linked:
            message = f"{node.label}: the browser makes the value of {widget.name!r}"
            findings.add(pointer, message)
    for widget, value in _assigned(node, kind):
        if widget.sent and widget.name not in linked and not _fits(widget, value, exact=exact):
            message = f"{node.label}: {value!r:.60} is no {widget.type} for {widget.name!r}"
            findings.add(
                pointer, f"{message}: the values do not belong to this class as it is here"
            )


def as_shown(widget: Widget, value: Any) -> Any:
    """Return what a widget makes of a value that it is given."""
    if not _is_text_area(widget):
        return value
    if value is None:
        return ""
    # A text area of a browser knows one kind of line end only.
    return re.sub("\r\n?", "\n", value) if isinstance(value, str) else value


def rounded(widget_type: str, options: Mapping[str, Any], value: Any) -> Any:
    """Return a number as the widget rounds what comes into it from a primitive node."""
    rule = {"INT": _rounded_int, "FLOAT": _rounded_float}.get(widget_type)
    if rule is None or not is_number(value):
        return value
    try:
        return rule(options, value)
    except (OverflowError, ValueError):
        return value  # infinite, or beyond what a browser can count: nothing to round


def is_number(value: object) -> bool:
    """Whether the value is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _assigned(node: Node, kind: NodeClass) -> Iterator[tuple[Widget, Any]]:
    stored = [widget for widget in kind.widgets if widget.stored]
    if isinstance(node.values, Mapping):
        yield from ((w, node.values[w.name]) for w in stored if w.name in node.values)
    else:
        yield from zip(stored, _positional(node, kind), strict=False)


def _positional(node: Node, kind: NodeClass) -> tuple[Any, ...]:
    """Return the values without those of inputs that were widgets when the node was saved."""
    values = tuple(node.values)
    if sum(count for _, count in kind.forced) != len(values):
        return values
    gone = {index for index, (forced, _) in enumerate(kind.forced) if forced}
    return tuple(value for index, value in enumerate(values) if index not in gone)


def _is_left_behind(value: object) -> bool:
    return not isinstance(value, list | dict) and value in _LEFT_BEHIND


def _is_plain(value: object) -> bool:
    return value is not None and not isinstance(value, list | dict)


def _is_text_area(widget: Widget) -> bool:
    multiline = widget.type == "STRING" and bool(widget.options.get("multiline"))
    return multiline or widget.type in _TEXT_AREAS


def _fits(widget: Widget, value: Any, *, exact: bool) -> bool:
    """Whether the value is of the widget's kind; whether it is allowed, ComfyUI says itself."""
    if widget.type in ("INT", "FLOAT"):
        return is_number(value) or (isinstance(value, str) and bool(_NUMBER.fullmatch(value)))
    if widget.type == "BOOLEAN":
        return isinstance(value, bool) or value in (0, 1)
    if widget.type == "STRING":
        return isinstance(value, str | None) or (exact and not isinstance(value, list | dict))
    if widget.type == "COMBO":
        return not isinstance(value, list | dict) or bool(widget.options.get("multi_select"))
    return True


def _first(kind: NodeClass, name: str) -> Any:
    widget = kind.widget(name)
    return ABSENT if widget is None else widget.default


def _annotated(value: Any, options: Mapping[str, Any]) -> Any:
    """Return a file name with the folder it is in, where that is not the one for inputs."""
    folder = options.get("image_folder", "input")
    if not isinstance(value, str) or folder == "input" or _ANNOTATED.search(value):
        return value
    return f"{value} [{folder}]"


def _rounded_int(options: Mapping[str, Any], value: float) -> int | float:
    step, low = options.get("step") or 1, options.get("min") or 0
    if not is_number(step) or not is_number(low):
        return value
    if step == 1 and isinstance(value, int):
        return value
    offset = math.fmod(low, step) if step != 1 else 0
    result: int | float = _half_up((value - offset) / step) * step + offset
    return int(result) if float(result).is_integer() else result


def _rounded_float(options: Mapping[str, Any], value: float) -> float:
    step, given = options.get("step", 0.5), options.get("round")
    if not is_number(step) or step <= 0:
        return value
    precision = max(0, -math.floor(math.log10(step)))
    unit = given or (10**-precision if precision else None)
    if not is_number(unit) or unit is None or unit <= 0:
        return value
    result = round(_half_up(value / unit) * unit, precision)
    low, high = options.get("min", 0), options.get("max", 2048)
    if not is_number(low) or not is_number(high):
        return float(result)
    return float(min(max(result, low), high))


def _half_up(value: float) -> int:
    return math.floor(value + 0.5)
