"""Links, right and wrong, judged by the recorded catalogue alone."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_runner.signatures import Type, fits
from tests.comfy_runner.runs import node
from tests.comfy_runner.validation.offline import picture, shown, told, values


@pytest.mark.parametrize(
    ("link", "said"),
    [
        (["11", 0], "links to node '11', which does not exist (did you mean '1'?)"),
        ([1, 0], 'links to node 1: the id of a node is text, such as "4"'),
        (["1", 1], "links to slot 1 of node 1 (EmptyImage), which has 0 (IMAGE)"),
        (["1", 0.0], "links to slot 0.0 of node 1 (EmptyImage), which has 0 (IMAGE)"),
        (["1", -2], "links to slot -2 of node 1 (EmptyImage), which has 0 (IMAGE)"),
        (
            ["1", 0, 0],
            (
                "Bad linked input, must be a length-2 list of [node_id, slot_index], not"
                " ['1', 0, 0]; a list that is meant as a value is written {\"__value__\": [...]}"
            ),
        ),
        (
            ["3", 0],
            (
                "Return type mismatch between linked nodes: received_type(MODEL) mismatch"
                " input_type(IMAGE)"
            ),
        ),
        (
            ["4", 0],
            (
                "Return type mismatch between linked nodes: received_type(INT) mismatch"
                " input_type(IMAGE)"
            ),
        ),
        (
            ["5", 1],
            (
                "Return type mismatch between linked nodes: received_type(MASK) mismatch"
                " input_type(IMAGE); node 5 (LoadImage) gives that at slot 0"
            ),
        ),
    ],
)
def test_a_link_that_leads_nowhere_or_wrong_is_told_with_what_is_there(
    link: list[Any], said: str
) -> None:
    graph = {
        "1": picture(),
        "2": shown(link),
        "3": node("CheckpointLoaderSimple", ckpt_name="tiny_sd3.ckpt"),
        "4": node("KindsOfValue"),
        "5": node("LoadImage", image="picture.png"),
    }

    assert told(graph) == [
        ("/2/inputs/images", f"input 'images' of node 2 (PreviewImage): {said}")
    ]


@pytest.mark.parametrize("slot", [False, -1])
def test_a_slot_counts_as_python_counts(slot: int) -> None:
    assert told({"1": picture(), "2": shown(("1", slot))}) == []


def test_what_no_output_needs_may_be_wrong_in_any_way() -> None:
    garbage = {
        "3": node("ImageInvert", image=["3", 0]),
        "4": node("KSampler", model=["no", 9], steps="x"),
        "5": node("ImageInvert"),
    }

    assert told({"1": picture(), "2": shown(), **garbage}) == []


def test_behind_a_link_of_the_wrong_type_the_search_goes_on() -> None:
    graph = {"1": node("LoadImageMask", image="picture.png", channel="pink"), "2": shown()}

    assert [pointer for pointer, _ in told(graph)] == ["/1/inputs/channel", "/2/inputs/images"]


def test_nodes_that_feed_each_other_are_refused_with_the_circle() -> None:
    graph = {
        "1": node("ImageInvert", image=["2", 0]),
        "2": node("ImageInvert", image=["1", 0]),
        "3": shown(("2", 0)),
    }

    ((pointer, said),) = told(graph)
    assert pointer in {"/1", "/2"}
    assert "nodes feed each other in a circle: " in said


def test_a_link_to_nowhere_by_an_undeclared_input_is_refused_because_comfyui_dies_of_it() -> None:
    graph = {"1": picture(), "2": node("PreviewImage", images=["1", 0], zzz=["77", 0])}

    assert told(graph) == [
        ("/2/inputs/zzz", ("input 'zzz' of node 2 (PreviewImage): links to node '77', which does"
         " not exist")),
    ]  # fmt: skip


def test_a_wrapped_list_in_the_shape_of_a_link_is_one_where_nothing_converts_it() -> None:
    wrapped = {"__value__": ["77", 0]}

    assert told({"1": node("PreviewAny", source=wrapped)})[0][0] == "/1/inputs/source"
    assert told(values(text=wrapped)) == []
    assert told({"1": node("PreviewAny", source={"__value__": ["77"]})}) == []
    assert told({"1": node("PreviewAny", source=1, zzz=wrapped)}) == []


def test_undeclared_links_are_followed_to_what_has_to_run() -> None:
    graph = {
        "1": node("PreviewAny", source=1, also=["2", 0]),
        "2": node("ImageInvert", image=["77", 0]),
    }

    assert [pointer for pointer, _ in told(graph)] == ["/2/inputs/image"]


@pytest.mark.parametrize(
    ("given", "wanted", "fit"),
    [
        (Type("IMAGE"), Type("IMAGE"), True),
        (Type("IMAGE"), Type("MASK"), False),
        (Type("INT,FLOAT"), Type("FLOAT"), True),
        (Type(" STRING , MASK"), Type("MASK,LATENT"), True),
        (Type("INT,FLOAT"), Type("STRING,MASK"), False),
        (Type("*"), Type("IMAGE"), False),
        (Type("IMAGE"), Type("*"), False),
        (Type("*", "any"), Type("IMAGE"), True),
        (Type("IMAGE"), Type("*", "any"), True),
        (Type("*"), Type("IMAGE", "star"), True),
        (Type("IMAGE", "star"), Type("*"), True),
        (Type("IMAGE", "star"), Type("MASK", "star"), False),
        (Type(["a"]), Type(["a"]), True),
        (Type(["a"]), Type(["b"]), False),
        (Type(["a"]), Type(["a"], "tuple"), False),
        (Type(["a"], "tuple"), Type(["a"], "tuple"), True),
        (Type(["a"]), Type("COMBO"), False),
        (Type(["a"], "tuple"), Type("*", "any"), True),
    ],
)
def test_types_fit_as_comfyui_compares_them(given: Type, wanted: Type, *, fit: bool) -> None:
    assert fits(given, wanted, star=False) is fit


@pytest.mark.parametrize(
    ("given", "wanted", "fit"),
    [
        (Type("*"), Type("IMAGE"), True),
        (Type("IMAGE"), Type("*"), True),
        (Type("INT,*"), Type("IMAGE"), True),
        (Type(["a"]), Type("*"), True),
        (Type(["a"]), Type("COMBO"), True),
        (Type("COMBO"), Type(["a"]), False),
        (Type(["a"]), Type("IMAGE"), False),
        (Type("IMAGE"), Type("MASK"), False),
    ],
)
def test_newer_versions_let_the_star_fit_everything(
    given: Type, wanted: Type, *, fit: bool
) -> None:
    assert fits(given, wanted, star=True) is fit


def test_a_class_that_judges_the_types_of_its_links_may_have_any() -> None:
    graph = {"1": node("ChecksTypes", image=["2", 0], whole=1), "2": node("KindsOfValue")}

    assert told(graph) == []


def test_a_class_that_judges_its_values_may_not_have_links_of_any_type() -> None:
    graph = {
        "1": node("ChecksAll", image=["2", 0], whole=77, listed="z"),
        "2": node("KindsOfValue"),
    }

    assert [pointer for pointer, _ in told(graph)] == ["/1/inputs/image"]


def test_a_class_with_outputs_without_end_has_any_type_at_any_slot() -> None:
    graph = {"1": shown(("2", 99)), "2": node("EndlessOutputs", number=1)}

    assert told(graph) == []


@pytest.mark.parametrize("link", [[], ["1"], [[], 0], [{}, 0], [None, None], ["1", [], {}]])
def test_lists_of_any_kind_are_refused_where_a_link_belongs(link: list[Any]) -> None:
    graph = {"1": picture(), "2": shown(link)}

    assert [pointer for pointer, _ in told(graph)] == ["/2/inputs/images"]


def test_a_list_that_is_no_link_is_not_followed() -> None:
    graph = {"1": picture(width=0), "2": shown(["1", 0, 0])}

    assert [pointer for pointer, _ in told(graph)] == ["/2/inputs/images"]
