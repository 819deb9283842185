"""Which packages and custom nodes are warned about before anything comes of them."""

from __future__ import annotations

from pathlib import Path

from memory_snapshot_helper.callers import Caller
from memory_snapshot_helper.hiding import Curtain
from memory_snapshot_helper.unsafe import NODES, PACKAGES, warnings

DOCS = Path(__file__).parents[2] / "docs" / "snapshot.md"


def test_the_guide_lists_what_is_known_to_be_unsafe_with_the_same_reasons() -> None:
    rows = [f"| package `{name}` | {reason} |" for name, reason in PACKAGES.items()]
    rows += [f"| custom node `{name}` | {reason} |" for name, reason in NODES.items()]
    text = DOCS.read_text(encoding="utf-8")
    assert [row for row in rows if row not in text] == []


def test_a_harmless_comfyui_is_not_warned_about() -> None:
    assert warnings(Curtain(), {"torch": 1, "PIL": 1}, ["ComfyUI-Impact-Pack"]) == []


def test_packages_and_nodes_that_look_for_the_gpu_at_import_are_named_with_the_reason() -> None:
    found = warnings(Curtain(), {"onnxruntime": 1}, ["ComfyUI_KJNodes"])
    assert found[0].startswith("The package onnxruntime is loaded: it opens sessions")
    assert "ComfyUI_KJNodes chooses attention functions" in found[1]


def test_a_custom_node_that_asked_for_cuda_is_named_with_the_line() -> None:
    curtain = Curtain()
    curtain.asked["pack"] = Caller("pack", "pack/nodes.py:12")
    curtain.refused.append("pack/other.py:3 wants the GPU")
    asked, refused = warnings(curtain, {}, ["pack"])
    assert "custom node pack asked" in asked
    assert "pack/nodes.py:12" in asked
    assert refused == curtain.refused[0]
