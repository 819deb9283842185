"""The command that fetches ComfyUI."""

from __future__ import annotations

from pathlib import Path

import click

import settings
from comfy_runner.install import DEFAULT, find, install


@click.group()
def comfyui() -> None:
    """Look after the ComfyUI that the workers run."""


@comfyui.command("install")
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="[default: .comfyui]")
@click.option("--version", help="[default: COMFYUI_VERSION]")
def install_comfyui(directory: Path | None, version: str | None) -> None:
    """Fetch ComfyUI with all it needs; does nothing when it is there already.

    Where COMFYUI_DIR names a ComfyUI of yours, that one is checked and nothing is fetched.
    """
    known = settings.load()
    if known.comfyui_dir is not None and directory is None:
        found = find(comfyui_dir=known.comfyui_dir, comfyui_python=known.comfyui_python)
        click.echo(f"Using the ComfyUI in {found.checkout} (COMFYUI_DIR); nothing to install.")
        return
    wanted = version or known.comfyui_version
    install(directory or DEFAULT, version=wanted, report=click.echo)
    if directory is not None:
        click.echo(f"Set COMFYUI_DIR={directory} to use it.")
