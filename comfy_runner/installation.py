"""Where a ComfyUI lies on this machine, and how it is found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from comfy_runner.errors import ComfyNotInstalled

DEFAULT = Path(__file__).resolve().parent.parent / ".comfyui"
"""Where `install` puts ComfyUI, and `find` looks for it, unless told otherwise."""

STAMP = "installation.json"
"""The last file an install writes: a directory that has it is complete and ours."""

_INSTALL = "`python manage.py comfyui install`"
_INTERPRETERS = (".venv/bin/python", "venv/bin/python", "../venv/bin/python")


@dataclass(frozen=True)
class Installation:
    """A ComfyUI that can be started: its code, the interpreter for it, and what we add to it."""

    checkout: Path
    """The directory that holds ComfyUI's `main.py`."""
    python: Path
    """The interpreter with its dependencies; never resolved, or its venv would be lost."""
    models: Path | None
    """More models, in the layout of ComfyUI's own `models/` (`checkpoints/` and so on)."""
    front_end: Path
    """An empty directory for `--front-end-root`, so that ComfyUI needs no front-end package."""


def find(
    *, comfyui_dir: Path | None = None, comfyui_python: Path | None = None, default: Path = DEFAULT
) -> Installation:
    """Find the ComfyUI to run.

    Args:
        comfyui_dir: an install of ours or somebody's checkout; None means the copy in `default`.
        comfyui_python: the interpreter to run it with; None means the one that belongs to it.
        default: where our own install lies.

    Raises:
        ComfyNotInstalled: there is none, or it has no interpreter; the message says what to do.
    """
    directory = (comfyui_dir or default).absolute()
    if (directory / STAMP).is_file():
        return _ours(directory, comfyui_python)
    if comfyui_dir is None:
        message = f"There is no ComfyUI in {directory} yet, or its install was interrupted."
        remedy = f"Run {_INSTALL}, or set COMFYUI_DIR to a checkout you have."
        raise ComfyNotInstalled(f"{message} {remedy}")
    if (directory / "main.py").is_file():
        return _checkout(directory, comfyui_python, default.absolute())
    remedy = f"Set it to the directory of ComfyUI's main.py, or run {_INSTALL} --dir {directory}."
    raise ComfyNotInstalled(f"COMFYUI_DIR={comfyui_dir} holds no ComfyUI. {remedy}")


def describe(directory: Path) -> Installation:
    """Say where everything lies in an install of ours, finished or not."""
    return Installation(
        checkout=directory / "ComfyUI",
        python=directory / "venv" / "bin" / "python",
        models=directory / "models",
        front_end=directory / "web",
    )


def _ours(directory: Path, python: Path | None) -> Installation:
    found = describe(directory)
    interpreter = _usable(python) if python else found.python
    if not _can_run(interpreter) or not (found.checkout / "main.py").is_file():
        message = f"The ComfyUI in {directory} has lost files."
        raise ComfyNotInstalled(f"{message} Repair it: {_INSTALL} --dir {directory}.")
    found.front_end.mkdir(exist_ok=True)
    return Installation(found.checkout, interpreter, found.models, found.front_end)


def _checkout(directory: Path, python: Path | None, default: Path) -> Installation:
    interpreter = _usable(python) if python else _interpreter_of(directory)
    extras = describe(default)
    models = extras.models if extras.models and extras.models.is_dir() else None
    extras.front_end.mkdir(parents=True, exist_ok=True)
    return Installation(directory, interpreter, models, extras.front_end)


def _interpreter_of(checkout: Path) -> Path:
    candidates = [checkout.joinpath(*relative.split("/")) for relative in _INTERPRETERS]
    for candidate in candidates:
        if _can_run(candidate):
            return candidate
    message = f"COMFYUI_DIR={checkout} is a checkout without a virtual environment of its own"
    looked = ", ".join(_INTERPRETERS)
    remedy = "Set COMFYUI_PYTHON to the interpreter that has ComfyUI's dependencies."
    raise ComfyNotInstalled(f"{message} (looked for {looked}). {remedy}")


def _usable(python: Path) -> Path:
    if _can_run(python):
        return python.absolute()
    remedy = "Set it to the interpreter that has ComfyUI's dependencies."
    raise ComfyNotInstalled(f"COMFYUI_PYTHON={python} is not a program that can be run. {remedy}")


def _can_run(program: Path) -> bool:
    return program.is_file() and os.access(program, os.X_OK)
