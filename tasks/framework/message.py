"""What travels between processes: JSON, checked where it is sent."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from tasks.framework.errors import NotSerializable

MAX_DEPTH = 200
"""Deeper nesting than this is refused: a JSON parser would run out of stack on it."""

RUN_ID = re.compile(r"[A-Za-z0-9._+@-]{1,200}")
"""What an id may look like: it becomes part of keys and of paths."""


def check_json(value: Any, path: str) -> None:
    """Refuse what is not JSON, naming the path to it.

    Raises:
        NotSerializable: with the path to the first offending value.
    """
    pending: list[tuple[str, Any, int]] = [(path, value, 0)]
    while pending:
        where, item, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise NotSerializable(where, f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(item, (dict, list, tuple)):
            pending.extend((name, child, depth + 1) for name, child in _children(where, item))
        elif isinstance(item, float) and not math.isfinite(item):
            raise NotSerializable(where, f"is {item}, which JSON cannot say")
        elif not (item is None or isinstance(item, (str, int, float))):
            raise NotSerializable(where, f"is a {type(item).__name__}, which is not JSON")


def _children(where: str, item: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(item, dict):
        yield from ((f"{where}[{index}]", child) for index, child in enumerate(item))
        return
    for key, child in item.items():
        if not isinstance(key, str):
            raise NotSerializable(where, f"has the key {key!r}, which is not a string")
        yield f"{where}[{key!r}]", child


def round_trip(value: Any, path: str) -> Any:
    """Return the value as its receiver will see it.

    Raises:
        NotSerializable: if it is not JSON.
    """
    check_json(value, path)
    return json.loads(json.dumps(value))


def digest(*parts: Any) -> str:
    """Return a digest that is the same for the same JSON, whatever the order of its keys."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def check_id(run_id: str) -> str:
    """Return the id.

    Raises:
        ValueError: if it could not be part of a key.
    """
    if not RUN_ID.fullmatch(run_id):
        raise ValueError(
            f"task_id {run_id!r} is not usable: 1 to 200 letters, digits or . _ + @ - are"
        )
    return run_id
