"""The command that fetches ComfyUI."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import click

import settings
from apps import CustomNode
from comfy_runner import nodes
from comfy_runner.install import DEFAULT, Installation, find, install
from commands.modal_target import app_option, target_of
from commands.terminal import printable


@click.group()
def comfyui() -> None:
    """Look after the ComfyUI that the workers run."""


@comfyui.command("install")
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="[default: .comfyui]")
@click.option("--version", help="[default: COMFYUI_VERSION]")
@app_option
def install_comfyui(directory: Path | None, version: str | None, app_file: Path | None) -> None:
    """Fetch ComfyUI with all it needs; does nothing when it is there already.

    The custom nodes that the app names are installed too, each at its commit, and tried. Where
    COMFYUI_DIR names a ComfyUI of yours, that one is checked and nothing is fetched.
    """
    wanted_nodes = target_of(app_file, None).app.custom_nodes
    known = settings.load()
    if known.comfyui_dir is not None and directory is None:
        found = find(comfyui_dir=known.comfyui_dir, comfyui_python=known.comfyui_python)
        click.echo(f"Using the ComfyUI in {found.checkout} (COMFYUI_DIR); nothing to install.")
        if wanted_nodes:
            names = ", ".join(node.name for node in wanted_nodes)
            click.echo(f"It is yours: see yourself that it has the custom nodes {names}.")
        return
    wanted = version or known.comfyui_version
    installed = install(directory or DEFAULT, version=wanted, report=click.echo)
    install_nodes(wanted_nodes, installed)
    if directory is not None:
        click.echo(f"Set COMFYUI_DIR={directory} to use it.")


def install_nodes(
    wanted: Sequence[CustomNode],
    installed: Installation,
    *,
    protocols: Collection[str] = ("https",),
) -> None:
    """Install custom nodes into a ComfyUI of ours; end with the name of one that is broken."""
    try:
        nodes.install(
            wanted,
            installed.checkout,
            installed.python,
            report=click.echo,
            protocols=protocols,
        )
    except nodes.NodesBroken as error:
        raise click.ClickException(printable(str(error))) from error
