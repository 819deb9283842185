"""Workflows of the editor come out as the editor itself exports them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from comfy_runner import graph
from comfy_runner.editor_format import convert, is_editor_format
from tests.comfy_runner.editor_drawings import Classes

FOLDER = Path(__file__).parent / "editor_workflows"
CLASSES = "object_info"
PAIRS = sorted(file for file in FOLDER.glob("*.json") if file.stem != CLASSES)


RECORDED = Classes(json.loads((FOLDER / f"{CLASSES}.json").read_text(encoding="utf-8")))
"""The node classes of the recorded workflows, in place of a whole catalogue."""


def first(options: Sequence[str]) -> str:
    return options[0]


@pytest.mark.parametrize("file", PAIRS, ids=lambda file: file.stem)
def test_a_workflow_is_converted_as_the_editor_exports_it(file: Path) -> None:
    pair = json.loads(file.read_text(encoding="utf-8"))
    assert is_editor_format(pair["editor"])
    converted = convert(pair["editor"], RECORDED, choose=first)
    assert converted == pair["api"]
    assert not is_editor_format(converted)
    graph.check(converted)


def test_there_are_enough_recorded_workflows() -> None:
    assert len(PAIRS) >= 40


def test_a_workflow_is_not_changed_by_its_conversion() -> None:
    for file in PAIRS:
        text = file.read_text(encoding="utf-8")
        editor = json.loads(text)["editor"]
        convert(editor, RECORDED)
        assert editor == json.loads(text)["editor"]
