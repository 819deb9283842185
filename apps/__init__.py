"""The apps that can be deployed on Modal: one TOML file describes each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apps.app import OVERRIDES, App, CustomNode, Limits, Model, Secrets, Timeouts
from apps.contradictions import contradictions
from apps.errors import AppError

__all__ = [
    "DEFAULT",
    "OVERRIDES",
    "App",
    "AppError",
    "CustomNode",
    "Limits",
    "Model",
    "Secrets",
    "Timeouts",
    "load",
    "names",
]

_DIRECTORY = Path(__file__).resolve().parent

DEFAULT = _DIRECTORY / "default.toml"
"""The app that is meant when none is named."""


def names() -> tuple[str, ...]:
    """Return the names of the files that come with this package, without their ending."""
    return tuple(sorted(file.stem for file in _DIRECTORY.glob("*.toml")))


def load(path: Path | str = DEFAULT) -> App:
    """Return the app that a TOML file describes.

    Raises:
        AppError: the file cannot be read, or says what it must not; all of it at once.
    """
    from apps.schema import check  # noqa: PLC0415 - only who reads a file needs marshmallow

    document = _read(Path(path))
    found, problems = check(document)
    problems += contradictions(found | {"limits": _known_limits(document, found)})
    if problems:
        raise AppError(str(path), problems)
    for model in found.get("models", ()):
        if "repo" in model:
            model.setdefault("revision", "main")
    return App.from_document(found)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(f"apps/{name}.toml" for name in names())
        raise AppError(str(path), [f"there is no such file; there are {known}"]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise AppError(str(path), [f"it cannot be read as UTF-8 text ({error})"]) from error
    except tomllib.TOMLDecodeError as error:
        raise AppError(str(path), [f"it is not TOML: {error}"]) from error


def _known_limits(document: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    given = document.get("limits", {})
    unreadable: dict[str, Any] = dict.fromkeys(given) if isinstance(given, dict) else {}
    readable: dict[str, Any] = found.get("limits", {})
    return asdict(Limits()) | unreadable | readable
