"""Workflows: every file says what the manifest says of it, and hangs together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import workflows

NAMES = workflows.names()

LOADERS = {
    "CheckpointLoaderSimple": ("ckpt_name", "checkpoints"),
    "UpscaleModelLoader": ("model_name", "upscale_models"),
}

SAVERS = {"SaveImage": "image", "SaveVideo": "video"}


def links(node: dict[str, Any]) -> list[list[Any]]:
    return [value for value in node["inputs"].values() if isinstance(value, list)]


def test_the_demo_has_its_workflow_and_there_are_at_least_four() -> None:
    assert NAMES[0] == "text_to_image"
    assert len(NAMES) >= 4


def test_every_file_is_in_the_manifest_and_the_other_way_round() -> None:
    directory = Path(workflows.__file__).parent
    assert {file.stem for file in directory.glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_node_has_a_class_a_title_and_inputs(name: str) -> None:
    for node_id, node in workflows.load(name).items():
        assert set(node) == {"class_type", "inputs", "_meta"}, node_id
        assert node["_meta"]["title"], node_id


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_to_a_node_and_every_node_to_an_output(name: str) -> None:
    graph = workflows.load(name)
    reached = {output.node for output in workflows.manifest()[name].outputs}
    waiting = list(reached)
    while waiting:
        for source, slot in links(graph[waiting.pop()]):
            assert isinstance(slot, int)
            assert source in graph
            if source not in reached:
                reached.add(source)
                waiting.append(source)
    assert reached == set(graph)


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_lists_every_output_with_its_kind(name: str) -> None:
    graph = workflows.load(name)
    saved = {
        node_id: SAVERS[node["class_type"]]
        for node_id, node in graph.items()
        if node["class_type"].startswith("Save")
    }
    listed = {output.node: output.kind for output in workflows.manifest()[name].outputs}
    assert listed == saved


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_lists_every_model_that_is_loaded(name: str) -> None:
    loaded = set()
    for node in workflows.load(name).values():
        if "Loader" in node["class_type"]:
            field, folder = LOADERS[node["class_type"]]
            loaded.add(f"{folder}/{node['inputs'][field]}")
    assert set(workflows.manifest()[name].models) == loaded


@pytest.mark.parametrize("name", NAMES)
def test_every_suggestion_is_an_input_with_another_value_of_the_same_type(name: str) -> None:
    graph = workflows.load(name)
    assert workflows.manifest()[name].suggestions
    for suggestion in workflows.manifest()[name].suggestions:
        value = graph[suggestion.node]["inputs"][suggestion.field]
        assert type(suggestion.value) is type(value), suggestion
        assert suggestion.value != value, suggestion
        assert suggestion.meaning


def test_a_graph_may_be_changed_without_changing_the_next_one() -> None:
    workflows.load("text_to_image").clear()
    assert workflows.load("text_to_image")


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(workflows.UnknownWorkflow, match="Did you mean text_to_image"):
        workflows.load("text2image")


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(workflows.UnknownWorkflow, match="gradient_poster, upscale"):
        workflows.load("zzz")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_a_path_is_unknown(name: str) -> None:
    with pytest.raises(workflows.UnknownWorkflow):
        workflows.load(f"../workflows/{name}")


@pytest.mark.parametrize("name", NAMES)
def test_files_are_written_one_way_so_that_changes_can_be_read(name: str) -> None:
    text = workflows.manifest()[name].path.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"
