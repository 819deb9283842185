"""The command that fetches ComfyUI, where there is one already, and the app's custom nodes."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from apps import CustomNode
from comfy_runner.installation import describe
from commands.comfyui import install_nodes
from tests.commands.support import run

NODES = '[[custom_nodes]]\nurl = "https://example.com/owner/some-nodes"\ncommit = "{}"\n'


def test_a_comfyui_of_the_operators_own_is_left_alone_and_the_missing_nodes_are_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "comfy").mkdir()
    (tmp_path / "comfy" / "main.py").write_text("")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    app = tmp_path / "ours.toml"
    app.write_text('name = "ours"\n' + NODES.format("a" * 40))
    mine = {"COMFYUI_DIR": str(tmp_path / "comfy"), "COMFYUI_PYTHON": str(python)}
    said = run("comfyui", "install", "--app", str(app), **mine)
    assert said.exit_code == 0, said.output
    assert "see yourself that it has the custom nodes some-nodes." in said.output
    assert not (tmp_path / "comfy" / "custom_nodes").exists()


def test_a_node_that_cannot_be_installed_ends_the_command_with_its_name(tmp_path: Path) -> None:
    node = CustomNode(url=f"file://{tmp_path}/nothing", commit="a" * 40)
    with pytest.raises(click.ClickException, match="custom node nothing could not be installed"):
        install_nodes([node], describe(tmp_path / "comfy"), protocols=("file",))


def test_an_app_without_nodes_asks_nothing_of_comfyui(tmp_path: Path) -> None:
    install_nodes([], describe(tmp_path / "comfy"))
    assert not (tmp_path / "comfy").exists()
