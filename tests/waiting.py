"""Waiting for a state of affairs rather than for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T | Literal[False] | None], seconds: float = 30.0) -> T:
    """Return the first truthy thing that ``look`` finds; fail when there is none for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"still not so after {seconds:g} s: {look()!r}")
