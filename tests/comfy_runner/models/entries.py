"""Model entries and directories for the tests."""

from __future__ import annotations

from pathlib import Path

from apps import Model
from comfy_runner.models import Access, Patience
from comfy_runner.models.manifest import OWN

QUICK = Patience(connect=5.0, silence=1.0, window=0.3, least_rate=2000.0, fruitless=3, pause=0.001)
WEIGHTS = b"".join(b"%07d\n" % n for n in range(50_000))
"""400 kB in which no two places are alike."""


def in_repo(file: str = "model.safetensors", **facts: str | None) -> Model:
    return Model(**{"folder": "checkpoints", "file": file, "repo": "owner/name", **facts})  # type: ignore[arg-type] # they are all texts


def at_url(url: str, **facts: str | None) -> Model:
    return Model(**{"folder": "loras", "file": "lora.safetensors", "url": url, **facts})  # type: ignore[arg-type] # likewise


def access(endpoint: str, token: str | None = None) -> Access:
    return Access(token=token, endpoint=endpoint, patience=QUICK)


def under_their_names(directory: Path) -> set[str]:
    """The files that ComfyUI would see."""
    every = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    return {path.as_posix() for path in every if path.parts[0] != OWN}
