"""What a model entry says, where its file goes, and what can be wrong with either."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

OWN = ".pull"
"""The directory in a models directory that is ours alone."""


class ModelsError(Exception):
    """Models cannot be had, or are not as they should be; the message says what to do."""


class PullFailed(ModelsError):
    """Some models could not be had; `problems` says why, one text for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Model(Protocol):
    """One model file: `file` of `repo` on Hugging Face at `revision`, or what is at `url`."""

    @property
    def folder(self) -> str:
        """Where it goes inside the models directory, such as `checkpoints`."""

    @property
    def file(self) -> str:
        """Its path in the repository; only the last part stays."""

    @property
    def repo(self) -> str | None:
        """The repository, such as `owner/name`."""

    @property
    def revision(self) -> str | None:
        """A commit, branch or tag; None means `main`."""

    @property
    def url(self) -> str | None:
        """The address of a file that is not on Hugging Face."""

    @property
    def sha256(self) -> str | None:
        """What its content must be."""

    @property
    def path(self) -> str:
        """Where it lies inside the models directory: `<folder>/<last part of file>`."""


def source_of(model: Model) -> str:
    """Say where a model comes from, in a form that changes when the entry does."""
    if model.repo is None:
        return model.url or ""
    return f"{model.repo}/{model.file}@{model.revision or 'main'}"


def target_of(model: Model, directory: Path) -> Path:
    """Return where a model's file goes.

    Raises:
        ModelsError: its folder or name leads out of `directory`, or into what is ours.
    """
    parts = PurePosixPath(model.path).parts
    odd = any(part.startswith(".") or "\\" in part for part in parts)
    if len(parts) < 2 or odd or PurePosixPath(model.path).is_absolute():
        remedy = "name a folder such as 'checkpoints' and a file, without leading dots"
        raise ModelsError(f"{model.path!r} is no place for a model: {remedy}")
    return directory.joinpath(*parts)


def refuse_doubles(models: Iterable[Model]) -> None:
    """Raise ModelsError if two entries want to be the same file."""
    sources: dict[str, str] = {}
    for model in models:
        source = source_of(model)
        other = sources.setdefault(model.path, source)
        if other != source:
            raise ModelsError(
                f"two models want to be {model.path}: {other} and {source}; give one of them"
                " another folder, such as a subfolder"
            )
