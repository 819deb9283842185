"""Answers that somebody keeps: caches of functions that asked about CUDA while it was hidden."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any


def caches_above() -> Iterator[Any]:
    """Return every function on the stack that keeps what it returns (`functools.lru_cache`).

    Libraries ask once and keep the answer: `is_torch_cuda_available` of transformers would say
    "no" for good. Only functions of modules are found, by the name they are defined with.
    """
    frame: Any = sys._getframe(1)
    while frame is not None:
        found = frame.f_globals.get(frame.f_code.co_name)
        if hasattr(found, "cache_clear") and frame.f_code in _codes(found):
            yield found
        frame = frame.f_back


def _codes(function: Any) -> Iterator[CodeType]:
    while function is not None:
        if hasattr(function, "__code__"):
            yield function.__code__
        function = getattr(function, "__wrapped__", None)
