"""What the nodes' ui results refer to: files and texts, under whatever key."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfy_runner.outputs.output import FileReference, Reference, TextReference

_ANNOTATED = re.compile(r"(.+) \[(input|output|temp)\]", re.DOTALL)
"""How ComfyUI writes name and type as one: `a.png [temp]`; its /view takes such a name apart."""

_DEEPEST = 16
_LONGEST_PATH = 4096
_CLOCK_SECONDS = 0.1
"""How far the time that a file system gives a file may lag behind the clock."""


def find(
    outputs: Mapping[str, Any],
    *,
    temp: bool = False,
    directories: Mapping[str, Path] | None = None,
    since: float = 0.0,
) -> tuple[Reference, ...]:
    """Return what the nodes' ui results refer to, under whatever key, in their order.

    Files of type "output" count; previews (type "temp") when there is no other file, or with
    `temp`. Each file counts once. A bare string is a file if it names one that lies in
    `directories` and was written at or after `since` (a Unix time, so that nobody's text can
    fetch what an earlier prompt left there); any other is a text.
    """
    found = tuple(_Finder(directories or {}, since).references(outputs))
    types = {each.type for each in found if isinstance(each, FileReference)}
    wanted = {"output", "temp"} if temp else {"output"} if "output" in types else {"temp"}
    kept: dict[object, Reference] = {}
    for index, each in enumerate(found):
        if isinstance(each, TextReference):
            kept[index] = each
        elif each.type in wanted:
            kept.setdefault((each.type, each.subfolder, each.filename), each)
    return tuple(kept.values())


@dataclass(frozen=True)
class _Finder:
    """Reads ui results, which may hold anything that JSON can."""

    directories: Mapping[str, Path]
    since: float

    def references(self, outputs: Mapping[str, Any]) -> Iterator[Reference]:
        for node_id, result in outputs.items():
            for value in result.values() if isinstance(result, dict) else ():
                yield from self._in_value(node_id, value)

    def _in_value(self, node_id: str, value: object, depth: int = 0) -> Iterator[Reference]:
        """Yield what a value refers to, and what lies within it."""
        if isinstance(value, str):
            yield self._named_by(node_id, value) or TextReference(node_id, value)
        elif isinstance(value, dict):
            yield from self._in_object(node_id, value, depth)
        elif isinstance(value, list) and depth < _DEEPEST:
            for item in value:
                yield from self._in_value(node_id, item, depth + 1)

    def _in_object(self, node_id: str, value: dict[str, Any], depth: int) -> Iterator[Reference]:
        """Yield the file that the object is, else the files within; its strings are no texts."""
        filename = value.get("filename")
        if isinstance(filename, str) and filename:
            subfolder, kind = value.get("subfolder"), value.get("type")
            path = posixpath.join(str(subfolder or ""), filename)
            yield self._file(node_id, path, str(kind or "output"))
            return
        for item in value.values():
            found = self._in_value(node_id, item, depth + 1) if depth < _DEEPEST else ()
            yield from (each for each in found if isinstance(each, FileReference))

    def _named_by(self, node_id: str, text: str) -> FileReference | None:
        """Return the file that a bare string names, if there is one, new enough."""
        if len(text) > _LONGEST_PATH:
            return None
        head, _, rest = text.partition("/")  # as Preview3D writes it: "temp/bg.png"
        places = [(text, "output"), (text, "temp")]
        if head in self.directories:
            places.append((rest, head))
        files = (self._file(node_id, path, kind) for path, kind in places)
        return next((file for file in files if self._is_new(file)), None)

    def _file(self, node_id: str, path: str, kind: str) -> FileReference:
        annotated = _ANNOTATED.fullmatch(path)
        if annotated is not None:
            path, kind = annotated.groups()
        path = posixpath.normpath(path)
        for name, directory in self.directories.items():
            for root in (str(directory), os.path.realpath(directory)):
                if path.startswith(f"{root}/"):
                    path, kind = path.removeprefix(f"{root}/"), name
        subfolder, filename = posixpath.split(path)
        return FileReference(node_id, filename, subfolder, kind)

    def _is_new(self, file: FileReference) -> bool:
        directory = self.directories.get(file.type)
        if directory is None:
            return False
        try:
            root = os.path.realpath(directory)
            path = os.path.realpath(Path(root, file.subfolder, file.filename))
            status = Path(path).stat()
        except (OSError, ValueError):
            return False
        is_inside = os.path.commonpath([root, path]) == root
        is_new = status.st_mtime >= self.since - _CLOCK_SECONDS
        return is_inside and is_new and stat.S_ISREG(status.st_mode)
