"""Literal values, right and wrong, judged by the recorded catalogue alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from comfy_runner.catalog import Catalog
from comfy_runner.errors import InvalidWorkflow
from comfy_runner.validation import validate
from tests.comfy_runner.runs import node
from tests.comfy_runner.validation.offline import CATALOG, shown, told, values

PLACE = "of node 1 (KindsOfValue): "


ACCEPTED: dict[str, tuple[Any, ...]] = {
    "whole": (-4, 9, "3", " 7 ", 3.9, True, {"__value__": "9"}, 9.9),
    "bare": (10**30, -1, "1_000", "\u0663"),
    "real": (0.5, 2, "1e0", True, "nan"),
    "text": (None, 5, {}, {"__value__": [1, 2]}),
    "flag": (None, "false", 0, {}, 2.5, {"__value__": []}),
    "forced": (1, "2"),
    "floats": (-1, 0.5, True),
    "listed": ("a", "b", {"__value__": "a"}),
    "numbers": (1, 1.0, True, 2.5),
    "unchecked": ("c", None, 5, {}),
    "combo": ("c", None, 5),
}
NOT_CONVERTED: dict[str, tuple[Any, ...]] = {
    "bare": (None, "3.5", "", {}, {"__value__": None}, "0x10", float("inf"), "9" * 5000),
    "real": (None, "x" * 5000, {"a": 1}, 10**400, {"__value__": []}),
}


def each(values: dict[str, tuple[Any, ...]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, some in values.items() for value in some]


@pytest.mark.parametrize(("name", "value"), each(ACCEPTED))
def test_a_value_is_accepted_as_far_as_comfyui_converts_it(name: str, value: Any) -> None:
    assert told(values(**{name: value})) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("whole", -5, "Value -5 smaller than min of -4: use -4 to 9"),
        ("whole", "10", "Value 10 bigger than max of 9: use -4 to 9"),
        ("real", 0.4, "Value 0.4 smaller than min of 0.5: use 0.5 to 2"),
        ("lazy", 4, "Value 4 bigger than max of 3"),
        ("floats", -1.5, "Value -1.5 smaller than min of -1"),
        ("listed", "A", "Value not in list: 'A'; there are: a, b"),
        ("listed", 1, "Value not in list: 1; there are: a, b"),
        ("numbers", "1", "Value not in list: '1'; there are: 1, 2, 2.5, True"),
        ("nothing", "x", "Value not in list: 'x'; there are: none"),
    ],
)
def test_a_value_out_of_range_or_list_is_told_with_what_there_is(
    name: str, value: Any, said: str
) -> None:
    assert told(values(**{name: value})) == [
        (f"/1/inputs/{name}", f"input '{name}' {PLACE}{said}")
    ]


def test_of_many_choices_the_nearest_and_the_first_are_told() -> None:
    ((_, said),) = told(values(many="choice 100"))

    assert "Value not in list: 'choice 100' (did you mean 'choice 10' or " in said
    assert said.endswith("choice 18, choice 19 and 10 more")


@pytest.mark.parametrize(("name", "value"), each(NOT_CONVERTED))
def test_a_value_that_python_cannot_convert_is_told_with_its_reason(name: str, value: Any) -> None:
    ((pointer, said),) = told(values(**{name: value}))

    kind = "INT" if name == "bare" else "FLOAT"
    assert pointer == f"/1/inputs/{name}"
    assert f"{PLACE}Failed to convert an input value to a {kind} value: " in said
    assert len(said) < 400


@pytest.mark.parametrize("value", ["text", None, {}])
def test_what_cannot_be_compared_with_a_range_is_refused_as_comfyui_stumbles_over_it(
    value: Any,
) -> None:
    ((_, said),) = told(values(floats=value))

    assert "cannot be compared with its range" in said


def test_a_class_that_checks_an_input_itself_may_have_any_value_there_and_not_elsewhere() -> None:
    graph = {"1": node("ChecksTypes", image=["1", 0], whole=77, other=77)}
    graph["1"]["inputs"]["image"] = ["2", 0]
    graph["2"] = node("EmptyImage", width=1, height=1, batch_size=1, color=0)

    assert [pointer for pointer, _ in told(graph)] == ["/1/inputs/other"]


def test_even_there_it_has_to_be_of_the_type() -> None:
    graph = {
        "1": node("ChecksAll", image=["2", 0], whole="x", listed="z"),
        "2": node("EmptyImage", width=1, height=1, batch_size=1, color=0),
    }

    assert [pointer for pointer, _ in told(graph)] == ["/1/inputs/whole"]


def with_choices(*, checked: bool, **options: Any) -> Catalog:
    """Return a catalogue with a class of a newer kind, and a ComfyUI that checks it or not."""
    spec = ["COMBO", {"options": ["a"], **options}]
    info = {"input": {"required": {"choice": spec}}, "output": [], "output_node": True}
    return replace(CATALOG, nodes={"New": info}, typing={"rules": {"choices": checked}})


def test_the_choices_of_a_combo_count_if_this_comfyui_checks_them() -> None:
    graph = {"1": node("New", choice="b")}

    assert told(graph, with_choices(checked=False)) == []
    assert len(told(graph, with_choices(checked=True))) == 1
    assert told({"1": node("New", choice="a")}, with_choices(checked=True)) == []


@pytest.mark.parametrize("option", ["remote", "multiselect"])
def test_choices_that_the_catalogue_cannot_know_are_accepted(option: str) -> None:
    catalog = with_choices(checked=True, **{option: {"route": "/x"}})

    assert told({"1": node("New", choice="b")}, catalog) == []


def test_inputs_that_newer_versions_make_many_of_are_left_to_them() -> None:
    info = {
        "input": {"required": {"images": ["COMFY_AUTOGROW_V3", {}], "x": ["COMFY_MATCHTYPE_V3"]}},
        "output": [],
        "output_node": True,
    }
    catalog = replace(CATALOG, nodes={**CATALOG.nodes, "New": info})
    empty = node("EmptyImage", width=1, height=1, batch_size=1, color=0)

    assert told({"1": node("New", x=["2", 0]), "2": empty}, catalog) == []
    assert [pointer for pointer, _ in told({"1": node("New")}, catalog)] == ["/1/inputs/x"]


@pytest.mark.parametrize("spec", [{}, [], None, ["INT", None], 5, {"a": 1}])
def test_an_input_that_its_class_declares_wrongly_refuses_the_node(spec: Any) -> None:
    info = {"input": {"required": {"odd": spec}}, "output": [], "output_node": True}
    catalog = replace(CATALOG, nodes={"Odd": info})

    assert [pointer for pointer, _ in told({"1": node("Odd", odd=1)}, catalog)] == [
        "/1/inputs/odd"
    ]


@pytest.mark.parametrize("groups", [None, {}, {"required": None}, {"optional": None}])
def test_a_class_may_have_no_inputs(groups: Any) -> None:
    info = {"input": groups, "output": None, "output_node": True}

    assert told({"1": node("None")}, replace(CATALOG, nodes={"None": info})) == []


def load(image: Any) -> dict[str, Any]:
    return {"1": node("LoadImage", image=image), "2": shown()}


@pytest.mark.parametrize("image", ["picture.png", "picture.png [input]"])
def test_a_file_in_the_input_folder_is_accepted(image: str) -> None:
    assert told(load(image)) == []


def test_the_name_of_a_file_that_comes_with_the_job_is_accepted_anywhere() -> None:
    assert told(load("mine.png"), media=("mine.png",)) == []
    assert told(values(bare="mine.png"), media=("mine.png",)) == []


def test_a_file_that_is_not_there_is_told_with_the_way_to_send_it() -> None:
    said = (
        "input 'image' of node 1 (LoadImage): Custom validation failed for node: Invalid file:"
        " 'pictures.png' (did you mean 'picture.png'?); send it with the job, as media of this"
        " name"
    )

    assert told(load("pictures.png")) == [("/1/inputs/image", said)]


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("LoadVideo", {"file": "x.mp4"}),
        ("LoadLatent", {"latent": "x.latent"}),
        ("LoadImageMask", {"image": "x.png", "channel": "red"}),
    ],
)
def test_every_loader_of_the_core_is_known(name: str, inputs: dict[str, Any]) -> None:
    graph = {"1": node(name, **inputs), "2": node("PreviewAny", source=["1", 0])}

    ((_, said),) = told(graph)
    assert "Invalid file: 'x." in said


@pytest.mark.parametrize("image", [5, None, {}, {"__value__": ["2", 0]}])
def test_a_file_is_named_by_text(image: Any) -> None:
    assert "is not the name of a file" in told(load(image))[0][1]


def test_a_file_is_not_named_by_a_link() -> None:
    anything = {"3": node("EndlessOutputs", number=1)}

    assert "takes the name of a file, not a link" in told({**load(["3", 0]), **anything})[0][1]


def test_only_a_combo_is_held_to_choices() -> None:
    checking = replace(CATALOG, typing={**CATALOG.typing, "rules": {"choices": True}})

    assert told(values(text="anything"), checking) == []


def one_input(*spec: Any) -> Catalog:
    info = {"input": {"required": {"x": list(spec)}}, "output": [], "output_node": True}
    return replace(CATALOG, nodes={"One": info}, models={"loras": ["a.pt"]})


@pytest.mark.parametrize(
    ("spec", "value"), [(["INT", "a note"], 5), ([[[1], "a"]], "a"), ([[{}, None, "a"]], None)]
)
def test_a_class_may_declare_an_input_oddly(spec: list[Any], value: Any) -> None:
    assert told({"1": node("One", x=value)}, one_input(*spec)) == []


def test_a_file_that_its_class_does_not_look_for_is_judged_by_the_list_alone() -> None:
    catalog = one_input(["a.png"], {"image_upload": True})

    ((_, said),) = told({"1": node("One", x="b.png")}, catalog)
    assert "Value not in list: 'b.png'" in said
    assert told({"1": node("One", x="b.png")}, catalog, media=("b.png",)) == []


@pytest.mark.parametrize(
    "graph",
    [
        *(values(whole=-5), values(whole=10), values(bare=None), values(floats="text")),
        *(values(listed="c"), values(lazy=[]), load("b.png"), load(5), load(["3", 0])),
    ],
)
def test_only_a_missing_model_is_a_missing_model(graph: dict[str, Any]) -> None:
    with pytest.raises(InvalidWorkflow) as caught:
        validate({**graph, "3": node("EndlessOutputs", number=1)}, CATALOG)

    assert type(caught.value) is InvalidWorkflow
