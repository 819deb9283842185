"""The catalogue as a value: captured, packed, named by its content."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from comfy_runner.catalog import Catalog, capture
from comfy_runner.errors import InvalidWorkflow
from comfy_runner.validation import validate
from tests.comfy_runner.runs import node

INFO: dict[str, Any] = {
    "Checked": {
        "input": {"required": {"count": ["INT", {"max": 5}], "image": ["IMAGE"]}},
        "output": ["*"],
        "output_node": True,
        "python_module": "custom_nodes.pack",
    },
    "LoadImage": {
        "input": {"required": {"image": [["a.png"], {"image_upload": True}]}},
        "output": ["IMAGE", "MASK"],
        "output_node": False,
        "python_module": "nodes",
    },
    "Core": {
        "input": {"required": {"count": ["INT", {"max": 5}]}},
        "output": ["INT"],
        "output_node": True,
        "python_module": "comfy_extras.nodes_x",
    },
}
VALIDATORS = {"LoadImage": ["s", "image"]}


class Told:
    """A ComfyUI that tells what it is given, with or without our companion."""

    def __init__(self, companion: dict[str, Any] | None) -> None:
        self._companion = companion

    def object_info(self) -> dict[str, Any]:
        return INFO

    def model_folders(self) -> tuple[str, ...]:
        return ("checkpoints", "loras")

    def models(self, folder: str) -> tuple[str, ...]:
        return (f"{folder}.ckpt",)

    def companion(self, question: str) -> dict[str, Any] | None:
        return None if self._companion is None else self._companion[question]

    def system_stats(self) -> dict[str, Any]:
        return {"system": {"comfyui_version": "0.3.75"}}


TYPING = {"rules": {"star": False, "choices": False}, "classes": {}}


def captured() -> Catalog:
    return capture(Told({"validators": VALIDATORS, "typing": TYPING}))


def test_a_catalogue_is_what_comfyui_and_our_companion_tell() -> None:
    assert captured() == Catalog(
        nodes=INFO,
        models={"checkpoints": ["checkpoints.ckpt"], "loras": ["loras.ckpt"]},
        validators=VALIDATORS,
        comfyui_version="0.3.75",
        typing=TYPING,
    )


def test_a_packed_catalogue_is_the_same_again_down_to_its_bytes_and_name() -> None:
    catalog = captured()
    again = Catalog.from_bytes(catalog.to_bytes())

    assert again == catalog
    assert again.to_bytes() == catalog.to_bytes()
    assert again.digest == catalog.digest


def test_another_content_has_another_name() -> None:
    catalog = captured()

    others = [
        replace(catalog, nodes={}),
        replace(catalog, models={}),
        replace(catalog, validators={}),
        replace(catalog, comfyui_version="0.3.76"),
        replace(catalog, typing={}),
    ]

    assert len({each.digest for each in (catalog, *others)}) == 6


def test_the_order_of_inputs_outlives_the_packing() -> None:
    spec = {"zebra": ["INT"], "ant": ["INT"]}
    info = {"input": {"required": spec}, "output": [], "output_node": True}
    again = Catalog.from_bytes(Catalog(nodes={"A": info}).to_bytes())

    assert list(again.nodes["A"]["input"]["required"]) == ["zebra", "ant"]


@pytest.mark.parametrize(
    "packed",
    [
        *(b"", b"text", gzip.compress(b"{"), gzip.compress(b"[]"), gzip.compress(b"\xff")),
        gzip.compress(json.dumps({"nodes": {}, "unheard": 1}).encode()),
        captured().to_bytes()[:-9],
    ],
)
def test_bytes_of_something_else_are_no_catalogue(packed: bytes) -> None:
    with pytest.raises(ValueError, match="bytes that are no catalogue"):
        Catalog.from_bytes(packed)


def accepted(graph: dict[str, Any], catalog: Catalog) -> bool:
    try:
        validate(graph, catalog)
    except InvalidWorkflow:
        return False
    return True


def test_without_our_companion_what_is_in_doubt_is_accepted() -> None:
    doubtful = {"1": node("Checked", count=77, image=["2", 0]), "2": node("Core", count=1)}
    wrong = {"1": node("Core", count=77)}

    alone = capture(Told(None))

    assert accepted(doubtful, alone)
    assert not accepted(doubtful, captured())
    assert not accepted(wrong, alone)


def test_without_our_companion_the_star_links_to_all() -> None:
    graph = {"1": node("Checked", count=1, image=["2", 0]), "2": node("Checked", count=1)}
    graph["2"]["inputs"]["image"] = ["3", 0]
    graph["3"] = node("LoadImage", image="a.png")

    assert accepted(graph, capture(Told(None)))
    assert not accepted(graph, captured())


def test_the_loaders_of_the_core_are_known_without_our_companion() -> None:
    graph = {"1": node("LoadImage", image="b.png"), "2": node("Checked", count=1, image=["1", 0])}

    with pytest.raises(InvalidWorkflow, match="Invalid file"):
        validate(graph, capture(Told(None)))
