"""Files that prompts left in ComfyUI's folders, swept when they are old."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

KEPT_SECONDS = 3600.0
"""A result that ComfyUI kept may name a file of an earlier prompt; after that it is made anew."""


def sweep(directory: Path, *, before: float) -> int:
    """Remove every file under `directory` last changed before then, and folders left empty.

    Args:
        directory: it stays itself, and may be missing.
        before: Unix time in seconds.

    Returns:
        How many files were removed. One that cannot be removed is left for the next time.
    """
    removed = 0
    for parent, folders, files in os.walk(directory, topdown=False):
        removed += sum(_removed(Path(parent, name), Path.unlink, before) for name in files)
        for name in folders:  # those that are not empty, or are links, stay
            _removed(Path(parent, name), Path.rmdir, before)
    return removed


def _removed(path: Path, remove: Callable[[Path], None], before: float) -> bool:
    with contextlib.suppress(OSError):
        if path.lstat().st_mtime < before:
            remove(path)
            return True
    return False
