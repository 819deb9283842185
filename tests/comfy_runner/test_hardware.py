"""Which workflows can do without a GPU, by the recorded catalogue and the workflows kept here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import workflows
from comfy_runner.catalog import Catalog
from comfy_runner.hardware import needs_gpu
from tests.comfy_runner.runs import EMPTY, image, node
from tests.comfy_runner.validation.recorded import recorded


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return recorded()


def with_class(catalog: Catalog, **changes: Any) -> Catalog:
    """Return the catalogue with a class X that inverts a picture, changed in these ways."""
    inverts = {**catalog.nodes["ImageInvert"], "name": "X", **changes}
    return replace(catalog, nodes={**catalog.nodes, "X": inverts})


def test_what_only_draws_and_scales_needs_none(catalog: Catalog) -> None:
    graph = {"1": EMPTY, "2": node("ImageInvert", image=["1", 0]), "3": image("2")}
    assert not needs_gpu(graph, catalog)
    shown = {**graph, "4": node("PreviewAny", source=["1", 0])}
    assert not needs_gpu(shown, catalog)


@pytest.mark.parametrize(
    "name",
    ["CheckpointLoaderSimple", "KSampler", "VAEDecode", "ImageUpscaleWithModel", "LatentUpscale"],
)
def test_one_node_that_has_to_do_with_a_model_is_enough(catalog: Catalog, name: str) -> None:
    assert needs_gpu({"1": EMPTY, "2": image("1"), "3": node(name)}, catalog)


def test_a_picture_made_by_a_model_needs_one(catalog: Catalog) -> None:
    assert needs_gpu(workflows.filled("text_to_image", {}), catalog)


def test_what_is_not_known_needs_one(catalog: Catalog) -> None:
    graph = {"1": EMPTY, "2": node("X", image=["1", 0])}
    assert needs_gpu(graph, catalog)
    assert not needs_gpu(graph, with_class(catalog))


@pytest.mark.parametrize(
    "changes",
    [
        {"python_module": "custom_nodes.pack"},
        {"api_node": True},
        {"output": ["*"]},
        {"output": ["LATENT"]},
        {"input": {"required": {"image": ["IMAGE"]}, "optional": {"model": ["MODEL"]}}},
        {"input": {"required": {"lora_name": [["a.safetensors"]]}}},
        {"input": {"required": {"odd": 5}}},
    ],
)
def test_a_node_that_might_use_a_model_needs_one(
    catalog: Catalog, changes: dict[str, Any]
) -> None:
    assert needs_gpu({"1": node("X")}, with_class(catalog, **changes))
