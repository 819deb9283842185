"""How a downloaded file gets its place on disk: whole or not at all, and never over another."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

LONGEST_NAME_BYTES = 150
MOST_NAMESAKES = 10_000


def safe_name(filename: str) -> str:
    """Reduce a name to one that stays in its directory, on any system."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    name = "".join(each for each in name if each.isprintable() and each not in '<>:"|?*')
    name = name.strip(" ").lstrip(".") or "output"
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 (the name is no path)
    room = LONGEST_NAME_BYTES - len(suffix.encode())
    return stem.encode()[: max(room, 1)].decode(errors="ignore") + suffix[:LONGEST_NAME_BYTES]


@contextmanager
def partial_file(directory: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """Open a hidden new file in `directory`; it is gone at the end of the block."""
    partial = directory / f".{secrets.token_hex(8)}.part"
    try:
        with partial.open("x+b") as file:
            yield partial, file
    finally:
        partial.unlink(missing_ok=True)


def keep(partial: Path, directory: Path, name: str) -> Path:
    """Give a finished file the name, or the name with the first free number.

    Raises:
        FileExistsError: thousands of files have the name.
    """
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 (the name is no path)
    for number in range(MOST_NAMESAKES):
        target = directory / (name if number == 0 else f"{stem}-{number}{suffix}")
        try:
            _claim(partial, target)
        except FileExistsError:
            continue
        return target
    raise FileExistsError(f"{directory} is full of files called {name!r}; empty it first")


def _claim(partial: Path, target: Path) -> None:
    try:
        # A link fails where a file is; a rename would replace the file.
        target.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems have no links; an empty file of ours then reserves the name.
        target.open("xb").close()
        partial.replace(target)
