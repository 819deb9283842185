"""Who is calling: the custom node and the line, found on the stack."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OURS = str(Path(__file__).resolve().parent) + os.sep


@dataclass(frozen=True)
class Caller:
    """A line of code, and the custom node it was called from, if any."""

    node: str | None
    place: str

    def __str__(self) -> str:
        return f"{self.place} (custom node {self.node})" if self.node else self.place


def caller() -> Caller:
    """Return who called into torch or us: the nearest line outside both."""
    lines = list(_lines(sys._getframe(1)))
    roots = _custom_node_roots()
    for file, number in lines:
        inside = next((file[len(root) :] for root in roots if file.startswith(root)), None)
        if inside is not None:
            return Caller(Path(inside).parts[0].removesuffix(".py"), f"{inside}:{number}")
    file, number = lines[0] if lines else ("unknown code", 0)
    return Caller(None, f"{_under_comfyui(file)}:{number}")


def _lines(frame: Any) -> Iterator[tuple[str, int]]:
    torch = getattr(sys.modules.get("torch"), "__file__", None)
    passed = (OURS, os.path.realpath(Path(torch).parent) + os.sep) if torch else (OURS,)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith("<"):
            file = os.path.realpath(file)
            if not file.startswith(passed):
                yield file, frame.f_lineno
        frame = frame.f_back


def _custom_node_roots() -> list[str]:
    folders = sys.modules.get("folder_paths")
    if folders is None:
        return []
    return [os.path.realpath(path) + os.sep for path in folders.get_folder_paths("custom_nodes")]


def _under_comfyui(file: str) -> str:
    base = getattr(sys.modules.get("folder_paths"), "base_path", None)
    home = os.path.realpath(base) + os.sep if base else "\0"
    return file.removeprefix(home)
