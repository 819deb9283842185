"""What has to be fetched, found out before a single byte of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from comfy_runner.models.fetching import Patience, Remote, inspect
from comfy_runner.models.manifest import Model, ModelsError, refuse_doubles, source_of, target_of
from comfy_runner.models.notes import Note, git_id_of, read_note, sha256_of, write_note
from comfy_runner.models.part import arrived_bytes

RESERVE_BYTES = 256 * 1024 * 1024
"""What stays free on the disk."""


def _free(directory: Path) -> int:
    return shutil.disk_usage(directory).free


@dataclass(frozen=True)
class Access:
    """How servers are reached."""

    token: str | None = None
    """For Hugging Face; None means the one that `hf auth login` has kept, if any."""
    endpoint: str | None = None
    """Another hub than https://huggingface.co."""
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class Wanted:
    """A model to be fetched; `missing_bytes` is 0 if its server does not say."""

    model: Model
    path: Path
    remote: Remote
    missing_bytes: int

    @property
    def expected(self) -> str | None:
        """The SHA-256 that its content must have, where somebody says so."""
        return self.model.sha256 or self.remote.sha256


@dataclass(frozen=True)
class Plan:
    """Which models are right already, which are to be fetched, and which cannot be had."""

    directory: Path
    present: tuple[Model, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    problems: tuple[str, ...] = ()
    free: Callable[[Path], int] = field(default=_free)

    @property
    def missing_bytes(self) -> int:
        """How many bytes are still to come, as far as is known."""
        return sum(each.missing_bytes for each in self.wanted)

    def check_space(self) -> None:
        """Raise ModelsError if the disk cannot hold all of it."""
        needed = self.missing_bytes + RESERVE_BYTES
        there = self.free(self.directory)
        if self.wanted and there < needed:
            raise ModelsError(
                f"{self.directory} has {gigabytes(there)} free and {gigabytes(needed)} are needed"
                f" for {len(self.wanted)} models; make room, or set MODELS_DIR to a larger disk"
            )


def plan(
    models: Iterable[Model],
    directory: Path,
    *,
    access: Access | None = None,
    free: Callable[[Path], int] = _free,
) -> Plan:
    """Find out what of `models` is in `directory` and right, and what it takes to get the rest.

    Servers are asked only about what is not there. A file that is there but was not put there by
    `pull` is hashed, and kept if it is right.

    Raises:
        ModelsError: two entries are one file, or one leads out of the directory.
    """
    wishes = tuple(models)
    refuse_doubles(wishes)
    access = access or Access()
    present, wanted, problems = [], [], []
    for model in dict.fromkeys(wishes):
        path = target_of(model, directory)
        try:
            found = _look(model, path, directory, access)
        except ModelsError as error:
            problems.append(str(error))
            continue
        if found is None:
            present.append(model)
        else:
            arrived = arrived_bytes(directory, model.path, found.identity)
            missing = max(0, (found.size or 0) - arrived)
            wanted.append(Wanted(model, path, found, missing))
    return Plan(directory, tuple(present), tuple(wanted), tuple(problems), free)


def _look(model: Model, path: Path, directory: Path, access: Access) -> Remote | None:
    """Return what is to be fetched; None if the right file is there."""
    if not path.is_file():
        return _remote(model, access)
    note = read_note(model, directory)
    if note and note.holds(path) and note.answers(model):
        return None
    same = note is not None and note.source == source_of(model)
    expected = model.sha256 or (note.sha256 if note and same else None)
    if expected is not None and _hash(path, note) == expected:
        commit = note.commit if note and same else None
        write_note(model, directory, path, sha256=expected, commit=commit)
        return None
    remote = _remote(model, access)
    if expected is None and _is(remote, path, note):
        write_note(model, directory, path, sha256=_hash(path, note), commit=remote.commit)
        return None
    return remote


def _remote(model: Model, access: Access) -> Remote:
    if model.repo is None:
        return inspect(model.url or "", access.patience)
    from comfy_runner.models.hub import locate  # noqa: PLC0415 - loads the library

    found = locate(model, token=access.token, endpoint=access.endpoint, patience=access.patience)
    if model.sha256 and found.sha256 not in {None, model.sha256}:
        raise ModelsError(
            f"{model.path}: the app file wants a content with sha256 {model.sha256}, and"
            f" {source_of(model)} has {found.sha256}; correct its `sha256` or its `revision`"
        )
    return found


def _is(remote: Remote, path: Path, note: Note | None) -> bool:
    """Whether a file that is there is the remote one, as far as its server lets that be told."""
    if remote.size is not None and remote.size != path.stat().st_size:
        return False
    if remote.sha256:
        return _hash(path, note) == remote.sha256
    if remote.git_id:
        return git_id_of(path) == remote.git_id
    return remote.size is not None and note is None


def _hash(path: Path, note: Note | None) -> str:
    return note.sha256 if note and note.holds(path) else sha256_of(path)


def gigabytes(size: int) -> str:
    """Return a number of bytes in GB, MB or kB, for people."""
    for unit, name in _units():
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def _units() -> Iterator[tuple[int, str]]:
    yield from ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
