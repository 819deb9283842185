"""Pulling the models of apps, on this machine and in a container, and telling how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from apps import App
from apps.app import Model as AppModel
from comfy_runner.models import Access, Model, pull, unused
from comfy_runner.models.plan import gigabytes

_STEP = 10
"""Percent between two lines."""
_UNKNOWN_STEP_BYTES = 10**9
"""Bytes between two lines while it is not known how many there will be."""


class Lines:
    """Tells of each file's progress in a line now and then: for logs and pipes."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._told: dict[str, int] = {}

    def __call__(self, model: Model, size: int, whole: int | None) -> None:
        """Take how many bytes of a model there are, of how many."""
        step = size * 100 // whole // _STEP if whole else size // _UNKNOWN_STEP_BYTES
        before = self._told.setdefault(model.path, 0)
        if step <= before:
            return
        self._told[model.path] = step
        of = f" of {gigabytes(whole)}, {step * _STEP}%" if whole else ""
        self._report(f"    {gigabytes(size)}{of}")


def pull_for_modal(
    app_json: str,
    *,
    directory: Path = Path("/cache/models"),
    kept: Callable[[], None] = lambda: None,
    report: Callable[[str], None] = print,
    others: Sequence[str] = (),
    access: Access | None = None,
) -> dict[str, Any]:
    """Bring an app's models into a mounted volume, and say what of it nobody uses.

    The token for Hugging Face is the HF_TOKEN of the container's environment. The lock of a pull
    does not reach beyond one container: let no two of them run this on one volume.

    Args:
        app_json: `App.to_json()`.
        directory: the models directory on the volume.
        kept: commits the volume; called after each file. Call it once more after a failure, so
            that the next pull goes on with what has arrived.
        report: gets a line at a time.
        others: the JSON of all other apps that share the volume.
        access: another hub, and patience.

    Returns:
        Paths of models: `present`, `fetched`, and of files that no app names: `unused`.

    Raises:
        PullFailed: some model could not be had; the others are there.
        ModelsError: the volume is too small, or two models are the same file.
    """
    app, rest = App.from_json(app_json), [App.from_json(each) for each in others]
    done = pull(
        app.models, directory, access=access, report=report, progress=Lines(report), kept=kept
    )
    strays = unused(models_of([app, *rest]), directory)
    for stray in strays:
        report(f"No app names {stray.path} ({gigabytes(stray.size)}).")
    return {
        "present": [model.path for model in done.present],
        "fetched": [model.path for model in done.fetched],
        "unused": [stray.path for stray in strays],
    }


def models_of(apps: Iterable[App]) -> tuple[AppModel, ...]:
    """Return all models of some apps, each once."""
    return tuple(dict.fromkeys(model for app in apps for model in app.models))
