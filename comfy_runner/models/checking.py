"""What is in a models directory, compared with what apps name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from comfy_runner.models.manifest import Model, target_of
from comfy_runner.models.notes import doubt_note, read_note, sha256_of, write_note

State = Literal["right", "missing", "wrong", "unchecked"]
"""`unchecked`: there is a file, and nothing was known yet to compare it with."""

_PLACEHOLDER = "put_"
"""ComfyUI's own folders hold empty files such as `put_loras_here`."""


@dataclass(frozen=True)
class Checked:
    """What became of one model; `size` in bytes, `fault` says what is wrong."""

    model: Model
    state: State
    size: int = 0
    fault: str = ""


@dataclass(frozen=True)
class Stray:
    """A file that no app names; `path` is relative to the models directory."""

    path: str
    size: int


def look(models: Iterable[Model], directory: Path) -> tuple[Checked, ...]:
    """Say what is there, by what is remembered of each file: nothing is read through.

    Raises:
        ModelsError: an entry leads out of the directory.
    """
    return tuple(_looked(model, target_of(model, directory), directory) for model in models)


def verify(models: Iterable[Model], directory: Path) -> tuple[Checked, ...]:
    """Read every file through and compare it with its entry, or with what was fetched.

    A file with which nothing can be compared counts as unchecked.

    Raises:
        ModelsError: an entry leads out of the directory.
        OSError: a file cannot be read.
    """
    return tuple(_verified(model, target_of(model, directory), directory) for model in models)


def unused(models: Iterable[Model], directory: Path) -> tuple[Stray, ...]:
    """Return the files in `directory` that none of `models` is, by path.

    Raises:
        ModelsError: an entry leads out of the directory.
    """
    used = {target_of(model, directory) for model in models}
    return tuple(
        Stray(path.relative_to(directory).as_posix(), path.stat().st_size)
        for path in sorted(_files(directory))
        if path not in used
    )


def _files(directory: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(parent, name)
            if not name.startswith((".", _PLACEHOLDER)) and path.is_file():
                yield path


def _looked(model: Model, path: Path, directory: Path) -> Checked:
    if not path.is_file():
        return Checked(model, "missing")
    note, size = read_note(model, directory), path.stat().st_size
    if note is None:
        return Checked(model, "unchecked", size)
    if note.holds(path) and note.answers(model):
        return Checked(model, "right", size)
    return Checked(model, "wrong", size, "it is another file than the one that was checked")


def _verified(model: Model, path: Path, directory: Path) -> Checked:
    if not path.is_file():
        return Checked(model, "missing")
    size, found, note = path.stat().st_size, sha256_of(path), read_note(model, directory)
    expected = model.sha256 or (note.sha256 if note and note.answers(model) else None)
    if expected not in {None, found}:
        doubt_note(model, directory)
        return Checked(model, "wrong", size, f"its sha256 is {found}, and should be {expected}")
    if expected is None:
        return Checked(model, "unchecked", size, f"its sha256 is {found}")
    commit = note.commit if note and note.answers(model) else None
    write_note(model, directory, path, sha256=found, commit=commit)
    return Checked(model, "right", size)
