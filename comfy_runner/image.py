"""The steps that put a ComfyUI, at one version, into a container's image."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Protocol

from comfy_runner.packages import RELEASES, TORCH

SOURCE = "https://github.com/comfyanonymous/ComfyUI.git"

SYSTEM_PACKAGES = ("git", "libgl1", "libglib2.0-0")
"""What ComfyUI and its custom nodes are built from and link to: git, and OpenCV's libraries."""


class Node(Protocol):
    """A custom node, by its folder."""

    @property
    def name(self) -> str:
        """The folder's name."""


def check_command(checkout: str, python: str, nodes: Iterable[Node]) -> str:
    """Return the shell command that starts ComfyUI once and fails if a custom node does not.

    It needs `comfy_runner` in the image already.
    """
    words = ["python", "-m", "comfy_runner.nodes", "check", checkout, "--python", python]
    return "cd /root && " + shlex.join([*words, *(node.name for node in nodes)])


def comfyui_commands(version: str, checkout: str) -> list[str]:
    """Return shell commands that fetch a released ComfyUI with an interpreter of its own.

    Its packages are those that the release asks for, with CUDA; torch is the one that was tested
    with the release, where one was. They need git, and no secret.
    """
    place, pip = shlex.quote(checkout), shlex.quote(f"{checkout}/venv/bin/pip")
    tested = f" {shlex.quote(TORCH)}" if version in RELEASES else ""
    return [
        f"git clone --quiet --depth 1 --branch v{shlex.quote(version)} {SOURCE} {place}",
        f"python -m venv {place}/venv",
        f"{pip} install --no-cache-dir --requirement {place}/requirements.txt{tested}",
    ]
