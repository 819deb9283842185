"""Fetching what a plan says, one file after another, under the directory's lock."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from comfy_runner.models.fetching import fetch
from comfy_runner.models.manifest import OWN, Model, ModelsError, PullFailed, source_of
from comfy_runner.models.notes import git_id_of, write_note
from comfy_runner.models.part import Part, arriving
from comfy_runner.models.plan import Access, Plan, Wanted, gigabytes, plan

Report = Callable[[str], None]
"""Gets one line at a time, for a person to read."""

Progress = Callable[[Model, int, int | None], None]
"""Gets a model, how many of its bytes are there, and how many there will be, if that is known."""


@dataclass(frozen=True)
class Pulled:
    """The models that are there now: those that were already, and those that were fetched."""

    present: tuple[Model, ...]
    fetched: tuple[Model, ...]


def pull(
    models: Iterable[Model],
    directory: Path,
    *,
    access: Access | None = None,
    report: Report = lambda _: None,
    progress: Progress = lambda *_: None,
    kept: Callable[[], None] = lambda: None,
    free: Callable[[Path], int] = lambda directory: shutil.disk_usage(directory).free,
) -> Pulled:
    """Bring every model into `directory`, checked; what is right already is left alone.

    A second pull into the same directory waits for the first. What breaks off is gone on with by
    the next pull. One model that cannot be had does not keep the others from coming. Everything
    a pull writes but files under their own names lies in `.pull` beside the folders.

    Args:
        models: what there has to be.
        directory: where, in ComfyUI's layout; it is made.
        access: tokens and patience.
        report: gets what is done.
        progress: gets how far each file is.
        kept: called after each file that has arrived: a volume is committed there.
        free: how many bytes a disk has left.

    Raises:
        PullFailed: some model could not be had; `problems` says why, for each.
        ModelsError: the disk is too small for all, or two models are the same file.
    """
    access = access or Access()
    try:
        (directory / OWN).mkdir(parents=True, exist_ok=True)
        with _only_one(directory / OWN / "lock", report):
            what = plan(models, directory, access=access, free=free)
            _tell(what, report)
            what.check_space()
            return _carry_out(what, _Work(access, report, progress, kept))
    except OSError as error:
        where = error.filename or directory
        raise ModelsError(f"{error.strerror or error}: {where}; put that right first") from error


@dataclass(frozen=True)
class _Work:
    access: Access
    report: Report
    progress: Progress
    kept: Callable[[], None]


def _tell(what: Plan, report: Report) -> None:
    if what.present:
        report(f"There already: {_count(what.present)}.")
    if what.wanted:
        report(f"{_count(what.wanted)} to fetch, {gigabytes(what.missing_bytes)}.")


def _count(models: Sized) -> str:
    return "1 model" if len(models) == 1 else f"{len(models)} models"


def _carry_out(what: Plan, work: _Work) -> Pulled:
    problems, fetched = list(what.problems), []
    for wanted in what.wanted:
        try:
            _bring(wanted, what.directory, work)
        except ModelsError as error:
            problems.append(str(error))
            continue
        fetched.append(wanted.model)
        work.kept()
    if problems:
        raise PullFailed(problems)
    return Pulled(what.present, tuple(fetched))


def _bring(wanted: Wanted, directory: Path, work: _Work) -> None:
    model, remote = wanted.model, wanted.remote
    work.report(f"{model.path} from {source_of(model)}")
    with arriving(directory, model.path, remote.identity) as part:
        _fetch_right(wanted, part, work)
        part.keep()
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
        part.path.replace(wanted.path)
        write_note(model, directory, wanted.path, sha256=part.sha256, commit=remote.commit)
    if remote.commit and remote.commit != model.revision:
        work.report(f'    to pin it, write: revision = "{remote.commit}"')
    if remote.sha256 is None and model.sha256 is None:
        work.report(f'    to have it checked, write: sha256 = "{part.sha256}"')


def _fetch_right(wanted: Wanted, part: Part, work: _Work) -> None:
    """Fetch the file; one that an earlier process began and that comes out wrong is begun anew."""
    model, remote = wanted.model, wanted.remote
    while True:
        resumed = part.resumed
        fetch(
            remote,
            part,
            patience=work.access.patience,
            on_bytes=lambda size: work.progress(model, size, remote.size),
        )
        fault = _fault(wanted, part)
        if fault is None:
            return
        part.restart()
        if not resumed:
            raise ModelsError(f"{model.path}: what {source_of(model)} sent is wrong: {fault}")
        work.report("    what was left of an earlier pull was damaged; fetching it anew")


def _fault(wanted: Wanted, part: Part) -> str | None:
    if wanted.expected is not None and part.sha256 != wanted.expected:
        return f"its sha256 is {part.sha256}, and should be {wanted.expected}"
    if wanted.remote.git_id is not None:
        part.keep()
        found = git_id_of(part.path)
        if found != wanted.remote.git_id:
            return f"its git id is {found}, and should be {wanted.remote.git_id}"
    return None


@contextmanager
def _only_one(lock: Path, report: Report) -> Iterator[None]:
    """Hold the lock; the kernel lets go of it when this process ends, however it ends."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("Another pull is at work in the same directory; waiting for it to end.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
