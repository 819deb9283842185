"""Changing the models in an app's TOML file, and leaving everything else in it as it is."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

_MODELS = re.compile(r"\s*\[\[\s*models\s*\]\]")
_TABLE = re.compile(r"\s*\[")
_IDLE = re.compile(r"\s*(#.*)?$")
_KEYS = ("folder", "repo", "file", "url", "revision", "sha256")


class CannotEdit(ValueError):
    """The file is written in a way that this program does not dare to change."""


def with_model(text: str, entry: Mapping[str, str]) -> str:
    """Return the text of an app file with one more model, after those that it has.

    Raises:
        CannotEdit: the models are not blocks `[[models]]` of their own.
    """
    lines = text.splitlines()
    block = ["[[models]]", *(f"{key} = {_quoted(entry[key])}" for key in _KEYS if key in entry)]
    blocks = _blocks(lines)
    if blocks:
        at = blocks[-1][1]
        lines[at:at] = ["", *block]
    else:
        at = _before_tables(lines)
        after = [""] if at < len(lines) else []
        before = [""] if at and lines[at - 1].strip() else []
        lines[at:at] = [*before, *block, *after]
    wanted = tomllib.loads(text)
    wanted.setdefault("models", []).append(dict(entry))
    return _checked(lines, wanted)


def without_model(text: str, path: str) -> str:
    """Return the text of an app file without the model that lies at `path`.

    The comment directly above its block goes with it.

    Raises:
        KeyError: the file names no such model.
        CannotEdit: as `with_model` says.
    """
    wanted = tomllib.loads(text)
    paths = [_path(model) for model in wanted.get("models", [])]
    if path not in paths:
        raise KeyError(path)
    number = paths.index(path)
    lines = text.splitlines()
    blocks = _blocks(lines)
    if len(blocks) != len(paths):
        raise _refusal()
    start, end = blocks[number]
    start = _above_comment(lines, start)
    while start and not lines[start - 1].strip():
        start -= 1
    del lines[start:end]
    del wanted["models"][number]
    if not wanted["models"]:
        del wanted["models"]
    return _checked(lines, wanted)


def _path(model: Mapping[str, Any]) -> str:
    return f"{model.get('folder')}/{str(model.get('file')).rpartition('/')[2]}"


def _blocks(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return where each block of a model begins, and where its last value ends."""
    found = []
    for start, line in enumerate(lines):
        if not _MODELS.match(line):
            continue
        end = start + 1
        for number in range(start + 1, len(lines)):
            if _TABLE.match(lines[number]):
                break
            if not _IDLE.match(lines[number]):
                end = number + 1
        found.append((start, end))
    return found


def _before_tables(lines: Sequence[str]) -> int:
    """Return where a block goes in a file without any: before the first table's comment."""
    tables = (number for number, line in enumerate(lines) if _TABLE.match(line))
    at = next(tables, None)
    return len(lines) if at is None else _above_comment(lines, at)


def _above_comment(lines: Sequence[str], at: int) -> int:
    """Return where the comment directly above a line begins."""
    while at and lines[at - 1].lstrip().startswith("#"):
        at -= 1
    return at


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a basic string of TOML


def _checked(lines: Sequence[str], wanted: Mapping[str, Any]) -> str:
    """Return the text, if it says what it should and nothing else."""
    text = "\n".join(lines) + "\n"
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refusal() from error
    if said != wanted:
        raise _refusal()
    return text


def _refusal() -> CannotEdit:
    return CannotEdit(
        "its models are not written as blocks [[models]], one for each; change it by hand"
    )
