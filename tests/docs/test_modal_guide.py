"""The guide to Modal names only commands, options and files that there are."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

import manage
import workflows
from settings import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "modal.md"
TEXT = GUIDE.read_text(encoding="utf-8")

COMMANDS = sorted(
    {found[1].strip() for found in re.finditer(r"manage\.py ([a-z][^`\n)#|]*)", TEXT)}
)
LINKS = sorted(set(re.findall(r"\]\(([^)#:]+)\)", TEXT)))
MODAL_S_OWN = {"MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET"}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_there_with_its_options(line: str) -> None:
    command: click.Command = manage.main
    words = line.split()
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("link", LINKS)
def test_a_link_leads_somewhere(link: str) -> None:
    assert (GUIDE.parent / link).exists()


def test_every_setting_is_one() -> None:
    named = set(re.findall(r"\b[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+\b", TEXT))
    assert named - MODAL_S_OWN <= {setting.name for setting in SETTINGS} | {"COMFYUI_API_URL"}


def test_the_workflow_of_the_first_image_is_bundled_and_needs_no_model() -> None:
    found = re.search(r"manage\.py submit (\w+)", TEXT)
    assert found
    assert not workflows.manifest()[found[1]].models
