"""What a workflow is told that is wrong with it, by the recorded catalogue alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comfy_runner.catalog import Catalog
from comfy_runner.errors import InvalidWorkflow, ModelMissing
from comfy_runner.validation import validate
from tests.comfy_runner.runs import node
from tests.comfy_runner.validation.offline import CATALOG, message, picture, shown, told


def test_a_workflow_that_comfyui_would_run_is_accepted() -> None:
    assert told({"1": picture(), "2": shown()}) == []


def test_everything_that_is_wrong_is_told_at_once_in_the_workflows_order() -> None:
    graph = {
        "9": shown(("7", 0)),
        "8": node("KSamplr"),
        "7": node("ImageScale", image=["8", 0], upscale_method="cubic", width=-1, crop="disabled"),
        "6": node("UnheardOf"),
    }

    assert [pointer for pointer, _ in told(graph)] == [
        "/8/class_type",
        "/7/inputs/upscale_method",
        "/7/inputs/width",
        "/7/inputs/height",
        "/6/class_type",
    ]


def test_the_error_names_the_first_node_with_its_title_and_counts_what_it_does_not_show() -> None:
    graph = {f"{n}": {**shown(("none", 0)), "_meta": {"title": f"no {n}"}} for n in range(7)}

    with pytest.raises(InvalidWorkflow, match=r"; and 2 more$") as caught:
        validate(graph, CATALOG)

    error = caught.value
    assert (error.node_id, error.node_type, error.node_title) == ("0", "PreviewImage", "no 0")
    assert len(error.problems) == 7
    assert error.code == "invalid_workflow"


def test_an_unknown_class_is_told_with_the_nearest_names_and_the_way_out() -> None:
    said = message({"1": node("PreviewImag", images=5)})

    assert said == (
        "node 1: this ComfyUI has no node class 'PreviewImag' (did you mean 'PreviewImage' or"
        " 'PreviewAny' or 'SaveImage'?); correct its name or install the custom node that brings"
        " it"
    )


def test_what_an_unknown_class_needs_is_looked_at_too() -> None:
    graph = {"1": picture(width=0), "2": node("Unheard", image=["1", 0])}

    assert [pointer for pointer, _ in told(graph)] == ["/1/inputs/width", "/2/class_type"]


def test_a_link_to_an_unknown_class_is_not_held_against_the_node_that_has_it() -> None:
    assert [pointer for pointer, _ in told({"1": node("Unheard"), "2": shown()})] == [
        "/1/class_type"
    ]


def test_a_workflow_without_an_output_is_refused_as_a_whole() -> None:
    said = "no node of the workflow is an output, such as SaveImage"

    assert told({"1": picture()}) == [("", said)]


def test_a_missing_input_is_told_with_its_type_and_the_name_that_was_meant() -> None:
    graph = {"1": picture(), "2": node("PreviewImage", image=["1", 0])}

    assert told(graph) == [
        (
            "/2/inputs/images",
            (
                "input 'images' of node 2 (PreviewImage): Required input is missing (IMAGE);"
                " the node has an input of another name (did you mean 'image'?)"
            ),
        )
    ]


def test_inputs_that_a_class_does_not_declare_are_ignored() -> None:
    assert told({"1": picture(), "2": node("PreviewImage", images=["1", 0], extra=[1])}) == []


def test_pointers_escape_what_json_pointers_escape() -> None:
    catalog = replace(
        CATALOG,
        nodes={"A": {"input": {"required": {"a/b~": ["INT"]}}, "output": [], "output_node": True}},
    )

    assert told({"x/y": node("A")}, catalog)[0][0] == "/x~1y/inputs/a~1b~0"


def test_a_prefix_that_leads_out_of_the_folder_is_told_beside_the_rest() -> None:
    graph = {"1": picture(width=0), "2": node("SaveImage", images=["1", 0], filename_prefix="/x")}

    assert [pointer for pointer, _ in told(graph)] == [
        "/1/inputs/width",
        "/2/inputs/filename_prefix",
    ]


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        ([], "a workflow is a JSON object, not a list"),
        ({}, "the workflow is empty"),
        ({"nodes": [], "links": []}, "as the editor saves it"),
        ({"prompt": {"1": picture()}}, 'send the value of "prompt" itself'),
        ({"1": {"class_type": "EmptyImage"}}, "a node needs inputs"),
        ({"1": {"inputs": {}}}, "a node needs a class_type"),
        ({"1": 5}, "a node is a JSON object, not a number"),
    ],
)
def test_what_is_no_api_graph_is_refused_in_the_words_of_the_graphs_own_check(
    graph: object, said: str
) -> None:
    assert said in message(graph)


def test_a_chain_of_many_nodes_is_no_matter() -> None:
    chain = {str(n): node("ImageInvert", image=[str(n - 1), 0]) for n in range(1, 5000)}

    assert told({"0": picture(), **chain, "end": shown(("4999", 0))}) == []


def test_missing_models_are_told_with_their_folder_and_what_is_there() -> None:
    graph = {
        "1": node("CheckpointLoaderSimple", ckpt_name="tiny_sd.ckpt"),
        "2": node("LoraLoaderModelOnly", model=["1", 0], lora_name="a.pt", strength_model=1),
        "3": node("PreviewAny", source=["2", 0]),
    }

    with pytest.raises(ModelMissing) as caught:
        validate(graph, CATALOG)

    assert [each.message for each in caught.value.problems] == [
        (
            "input 'ckpt_name' of node 1 (CheckpointLoaderSimple): Value not in list: no file"
            " 'tiny_sd.ckpt' in models/checkpoints (did you mean 'tiny_sd3.ckpt'?);"
            " there are: tiny_sd3.ckpt"
        ),
        (
            "input 'lora_name' of node 2 (LoraLoaderModelOnly): Value not in list: no file 'a.pt'"
            " in models/loras; there are: none"
        ),
    ]
    assert caught.value.code == "model_missing"


def test_a_missing_model_beside_another_problem_is_an_invalid_workflow() -> None:
    graph = {
        "1": node("CheckpointLoaderSimple", ckpt_name="x.ckpt"),
        "2": node("PreviewAny", source=["1", 9]),
    }

    with pytest.raises(InvalidWorkflow) as caught:
        validate(graph, CATALOG)

    assert type(caught.value) is InvalidWorkflow


def test_of_very_much_that_is_wrong_some_is_told() -> None:
    graph = {str(n): node("Unheard") for n in range(5000)}

    assert len(told(graph)) == 200


def with_models(choices: list[str], name: str = "thing") -> Catalog:
    """Return a catalogue with some models and a class that has these choices."""
    info = {"input": {"required": {name: [choices]}}, "output": [], "output_node": True}
    models = {"loras": ["a.pt", "b.pt"], "all": ["a.pt"], "vae": [], "other": ["z.pt"]}
    return Catalog(nodes={"Loader": info}, models=models)


@pytest.mark.parametrize(
    ("choices", "name", "folder"),
    [
        (["a.pt", "b.pt"], "thing", "loras"),
        (["none", "a.pt", "b.pt"], "thing", "loras"),
        (["none", "a.pt"], "thing", "all"),
        (["a.pt", "b.pt"], "vae_name", "loras"),
        ([], "vae_name", "vae"),
        (["taesd"], "vae_name2", "vae"),
    ],
)
def test_the_folder_of_a_model_is_known_by_its_neighbours_or_by_the_name_of_the_input(
    choices: list[str], name: str, folder: str
) -> None:
    graph = {"1": node("Loader", **{name: "c.pt"})}

    with pytest.raises(ModelMissing, match=f"no file 'c.pt' in models/{folder}"):
        validate(graph, with_models(choices, name))


@pytest.mark.parametrize("value", ["c.safetensors", "C.GGUF", "sub/c.ckpt"])
def test_a_model_file_is_known_by_its_suffix_where_no_folder_is_known(value: str) -> None:
    with pytest.raises(ModelMissing, match="among its choices"):
        validate({"1": node("Loader", thing=value)}, with_models(["x"]))


def test_where_the_folder_is_known_a_name_without_suffix_is_a_missing_model_too() -> None:
    with pytest.raises(ModelMissing, match="no file 'taesd' in models/all"):
        validate({"1": node("Loader", thing="taesd")}, with_models(["a.pt"]))


@pytest.mark.parametrize("value", ["euler", 5, None])
def test_another_choice_is_no_missing_model(value: object) -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        validate({"1": node("Loader", thing=value)}, with_models(["x"]))

    assert type(caught.value) is InvalidWorkflow


def test_what_is_no_text_is_no_missing_model() -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        validate({"1": node("Loader", thing=5)}, with_models(["a.pt"]))

    assert type(caught.value) is InvalidWorkflow


def test_of_folders_with_the_same_files_the_name_of_the_input_tells_which() -> None:
    catalog = replace(
        with_models(["a.pt"], "lora_name"), models={"else": ["a.pt"], "loras": ["a.pt"]}
    )

    with pytest.raises(ModelMissing, match="in models/loras"):
        validate({"1": node("Loader", lora_name="c.pt")}, catalog)


def test_some_core_classes_tell_more_than_the_names_of_their_inputs() -> None:
    info = {"input": {"required": {"clip_name": [[]]}}, "output": [], "output_node": True}
    catalog = Catalog(
        nodes={"CLIPVisionLoader": info}, models={"clip_vision": [], "text_encoders": []}
    )

    with pytest.raises(ModelMissing, match="in models/clip_vision"):
        validate({"1": node("CLIPVisionLoader", clip_name="c.pt")}, catalog)


def test_an_input_that_is_declared_is_not_taken_for_a_misspelt_other() -> None:
    graph = {"1": picture(), "2": node("ImageBatch", image1=["1", 0]), "3": shown(("2", 0))}

    said = "input 'image2' of node 2 (ImageBatch): Required input is missing (IMAGE)"
    assert told(graph) == [("/2/inputs/image2", said)]


def test_a_wrong_link_alone_is_no_missing_model() -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        validate({"1": picture(), "2": shown(("1", 7))}, CATALOG)

    assert type(caught.value) is InvalidWorkflow
