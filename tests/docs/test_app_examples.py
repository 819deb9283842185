"""The app files that the README shows, read as app files."""

from __future__ import annotations

import re
from pathlib import Path

import apps
from apps import App
from tests.commands.support import PROJECT

SECTION = (PROJECT / "README.md").read_text(encoding="utf-8").split("## On Modal")[1]
SECTION = SECTION.split("\n## ")[0]


def shown(directory: Path, number: int) -> App:
    """Return the app in the README's block of this number, added to a file that has a name."""
    block = re.findall(r"```toml\n(.*?)```", SECTION, re.DOTALL)[number]
    file = directory / "mine.toml"
    file.write_text(block if block.startswith("name") else f'name = "mine"\n{block}')
    return apps.load(file)


def test_a_model_is_one_block(tmp_path: Path) -> None:
    (model,) = shown(tmp_path, 0).models
    assert (model.path, model.revision) == ("loras/style.safetensors", "main")


def test_a_custom_node_is_one_block(tmp_path: Path) -> None:
    (node,) = shown(tmp_path, 1).custom_nodes
    assert node.name == "ComfyUI-WanVideoWrapper"


def test_a_second_app_is_a_file_with_another_name(tmp_path: Path) -> None:
    app = shown(tmp_path, 2)
    assert app.name != apps.load().name
    assert (app.gpu, app.allowed_gpus) == (("L40S", "A100"), ("H100",))
    assert app.volume != apps.load().volume


def test_every_variable_that_wins_over_the_file_is_named() -> None:
    sentence = SECTION.split("The environment wins over the file:")[1].split(". ")[0]
    assert set(re.findall(r"`([A-Z_]+)`", sentence)) == set(apps.OVERRIDES)
