"""Fetch a whole ComfyUI into a directory of its own, in steps that survive interruption."""

from __future__ import annotations

import fcntl
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from comfy_runner.commands import CommandFailed, Commands
from comfy_runner.errors import ComfyNotInstalled
from comfy_runner.install_steps import Runs, Step, Workshop
from comfy_runner.installation import DEFAULT, STAMP, Installation, describe, find
from comfy_runner.packages import release_of

__all__ = ["DEFAULT", "Installation", "find", "install"]

_OWN = ".install"
"""The directory inside an install that holds its lock and one stamp per finished step."""

_HARMLESS = {_OWN, "models", "web"}
"""What may lie in a directory before anything is installed there; `find` makes the last one."""


def install(
    directory: Path = DEFAULT,
    *,
    version: str = "0.3.75",
    report: Callable[[str], None],
    commands: Runs | None = None,
) -> Installation:
    """Install ComfyUI with an interpreter of its own and the tiny models, or finish doing so.

    Each step leaves a stamp that holds what it depended on, so an interrupted or failed install
    goes on where it stopped, a changed pin repeats only what follows from it, and a finished
    install is left alone. A second installer in the same directory waits for the first.

    Args:
        directory: where; it is created, and must be empty or an install of ours.
        version: ComfyUI's version, one of `packages.RELEASES`.
        report: called with one line at a time for a person to read.
        commands: what runs pip and ComfyUI; tests pass their own.

    Raises:
        ComfyNotInstalled: the version is unknown, the directory is somebody else's, or a step
            failed; the message says what to do, `log` holds the last lines of what failed.
    """
    release = release_of(version)
    directory = directory.absolute()
    _refuse_a_foreign(directory)
    try:
        scratch = directory / _OWN
        scratch.mkdir(parents=True, exist_ok=True)
        with _only_one(scratch / "lock", report):
            workshop = Workshop(directory, scratch, commands or Commands(), report)
            _work_through(workshop.steps(version, release), scratch, report)
            _finish(directory, version)
    except OSError as error:
        what = f"{error.strerror or error}: {error.filename or directory}"
        raise ComfyNotInstalled(f"ComfyUI could not be installed: {what}.") from error
    report(f"ComfyUI {version} is ready in {directory}.")
    return describe(directory)


def _refuse_a_foreign(directory: Path) -> None:
    if not directory.exists() or (directory / _OWN).is_dir():
        return
    if not directory.is_dir():
        raise ComfyNotInstalled(f"{directory} is a file. Name a directory to install in.")
    if (directory / "main.py").is_file():
        message = f"{directory} is a checkout of ComfyUI already; it is left as it is."
        raise ComfyNotInstalled(f"{message} Set COMFYUI_DIR={directory} to use it.")
    if {entry.name for entry in directory.iterdir()} - _HARMLESS:
        message = f"{directory} holds other files and is not an install of ours."
        raise ComfyNotInstalled(f"{message} Name an empty directory.")


@contextmanager
def _only_one(lock: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock; the kernel lets go of it when this process ends, however it ends."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("Another install is at work in the same directory; waiting for it to end.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _work_through(steps: Sequence[Step], stamps: Path, report: Callable[[str], None]) -> None:
    for number, step in enumerate(steps):
        stamp = stamps / step.name
        if step.product.exists() and stamp.is_file() and stamp.read_text() == step.inputs:
            continue
        (stamps.parent / STAMP).unlink(missing_ok=True)
        for later in steps[number:]:
            (stamps / later.name).unlink(missing_ok=True)
        report(f"[{number + 1}/{len(steps)}] {step.title}")
        _carry_out(step)
        _write(stamp, step.inputs)


def _carry_out(step: Step) -> None:
    try:
        step.run()
    except CommandFailed as failure:
        raise _failure(step, failure.reason, failure.lines) from failure
    except zipfile.BadZipFile as failure:
        raise _failure(step, str(failure)) from failure
    if not step.product.exists():
        raise _failure(step, f"it ended well, and yet there is no {step.product}")


def _failure(step: Step, reason: str, lines: Sequence[str] = ()) -> ComfyNotInstalled:
    message = f"ComfyUI could not be installed: {step.title}: {reason}."
    last = [f"    {line}" for line in lines[-12:]]
    remedy = "Put that right and run the same command again: finished steps are kept."
    return ComfyNotInstalled("\n".join((message, *last, remedy)), log=lines)


def _finish(directory: Path, version: str) -> None:
    stamp = directory / STAMP
    content = json.dumps({"comfyui": version}) + "\n"
    if not stamp.is_file() or stamp.read_text() != content:
        _write(stamp, content)


def _write(path: Path, content: str) -> None:
    """Write a file so that it is there whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(content)
    partial.replace(path)
