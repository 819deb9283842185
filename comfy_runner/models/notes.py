"""What is known of a file that was checked, so that gigabytes are hashed once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from comfy_runner.models.manifest import OWN, Model, source_of

_CHUNK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Note:
    """A file as it was when its content was checked."""

    source: str
    """Where its entry said that it comes from."""
    sha256: str
    size: int
    modified: int
    """Unix time of its last change, in whole seconds: not every volume keeps more."""
    commit: str | None = None
    """The commit of the repository that it was fetched from."""

    def holds(self, path: Path) -> bool:
        """Whether the file looks as it did then, without reading it."""
        try:
            found = path.stat()
        except OSError:
            return False
        return (found.st_size, int(found.st_mtime)) == (self.size, self.modified)

    def answers(self, model: Model) -> bool:
        """Whether this is the file that the entry asks for."""
        return self.source == source_of(model) and model.sha256 in {None, self.sha256}


def read_note(model: Model, directory: Path) -> Note | None:
    """Return what is known of a model's file; None if nothing is."""
    try:
        return Note(**json.loads(_place(model, directory).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # lost, torn, or of another version
        return None


def write_note(
    model: Model, directory: Path, path: Path, *, sha256: str, commit: str | None = None
) -> None:
    """Remember that the file at `path` is the model and has this content."""
    found = path.stat()
    note = Note(source_of(model), sha256, found.st_size, int(found.st_mtime), commit)
    _write(_place(model, directory), note)


def _write(place: Path, note: Note) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f"{place.name}.partial")
    partial.write_text(json.dumps(asdict(note)) + "\n", encoding="utf-8")
    partial.replace(place)


def doubt_note(model: Model, directory: Path) -> None:
    """Have the file read through when it is next looked at, whatever it looks like."""
    note = read_note(model, directory)
    if note is not None:
        _write(_place(model, directory), replace(note, modified=-1))


def sha256_of(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_id_of(path: Path) -> str:
    """Return what git calls a file's content; see https://git-scm.com/book/en/v2 chapter 10.2."""
    found = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()


def _place(model: Model, directory: Path) -> Path:
    return directory / OWN / "checked" / f"{model.path}.json"
