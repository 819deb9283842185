"""The files that nodes named: where they lie, and what they are."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from comfy_runner.content_types import describe
from comfy_runner.errors import OutputGone, StorageFailed
from comfy_runner.facts import Facts, facts
from comfy_runner.outputs.output import FileReference, Output

_NAMED_CHARACTERS = 100
"""How much of a name an error tells: a name may be as long as its sender likes."""


def resolve(reference: FileReference, directories: Mapping[str, Path]) -> Path:
    """Return where the file lies.

    Raises:
        OutputGone: It is not there.
        StorageFailed: It lies outside its directory, or holds nothing.
    """
    directory = directories.get(reference.type)
    if directory is None:
        raise _lost(reference, f"is of the unknown type {reference.type!r}")
    try:
        root = os.path.realpath(directory)
        path = os.path.realpath(Path(root, reference.subfolder, reference.filename))
    except ValueError as error:
        raise _lost(reference, "has an impossible name") from error
    if os.path.commonpath([root, path]) != root:
        raise _lost(reference, "lies outside ComfyUI's folders")
    try:
        status = Path(path).stat()
    except OSError as error:
        lost = _lost(reference, f"is not there ({error.strerror})")
        raise OutputGone(lost.message, node_id=lost.node_id) from error
    if not stat.S_ISREG(status.st_mode):
        raise _lost(reference, "is no regular file")
    if status.st_size == 0:
        raise _lost(reference, "is empty: its node promised a file and wrote nothing into it")
    return Path(path)


def inspect(
    reference: FileReference, directories: Mapping[str, Path], *, key: str
) -> tuple[Path, Output]:
    """Return where the file lies, and the output that it becomes once it is stored under `key`.

    Raises:
        StorageFailed: It lies outside its directory, is not there, or cannot be read.
    """
    path = resolve(reference, directories)
    try:
        kind, content_type = describe(path)
        size = path.stat().st_size
    except OSError as error:
        raise _lost(reference, f"cannot be read ({error.strerror})") from error
    known = facts(path, content_type) if kind in ("image", "video", "audio") else Facts()
    return path, Output(
        node_id=reference.node_id,
        kind=kind,
        filename=_presentable(reference.filename),
        key=key,
        size_bytes=size,
        content_type=content_type,
        width=known.width,
        height=known.height,
        duration_seconds=known.duration_seconds,
        frames=known.frames,
        is_temp=reference.type == "temp",
    )


def _lost(reference: FileReference, reason: str) -> StorageFailed:
    name = reference.filename
    shown = name if len(name) <= _NAMED_CHARACTERS else f"{name[:_NAMED_CHARACTERS]}..."
    message = f"output {shown!r} of node {reference.node_id!r} {reason}"
    return StorageFailed(message, node_id=reference.node_id)


def _presentable(filename: str) -> str:
    """Return the name as JSON and HTTP can carry it; a file system takes what neither does."""
    replaced = {"Cc": "_", "Cs": "\ufffd"}
    return "".join(replaced.get(unicodedata.category(each), each) for each in filename)
