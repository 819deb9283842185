"""Files that prompts left in ComfyUI's folders, swept when they are old."""

from __future__ import annotations

import contextlib
import os
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
        for name in files:
            with contextlib.suppress(OSError):
                path = Path(parent, name)
                if path.lstat().st_mtime < before:
                    path.unlink()
                    removed += 1
        for name in folders:
            with contextlib.suppress(OSError):  # not empty, or a link
                folder = Path(parent, name)
                if folder.lstat().st_mtime < before:
                    folder.rmdir()
    return removed
