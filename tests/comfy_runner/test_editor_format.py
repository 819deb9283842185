"""What the editor means where no recording can say it: dates, chance, old and foreign files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from comfy_runner.editor_format import is_editor_format
from tests.comfy_runner.editor_drawings import (
    Classes,
    Json,
    convert,
    linked,
    node,
    port,
    subgraph,
    workflow,
)

NOW = datetime(2026, 3, 7, 5, 9, 8)  # noqa: DTZ001 - a wall clock, as a browser has it


def inputs(drawing: Json, node_id: str = "1", **options: Any) -> Json:
    found: Json = convert(drawing, **options)[node_id]["inputs"]
    return found


def sampler(text: str) -> Json:
    return workflow([node(1, "Sampler", widgets_values=[1, "fixed", 7.5, "euler", True, text])])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"nodes": [], "links": []}, True),
        ({"nodes": []}, True),
        ({"nodes": {"class_type": "X", "inputs": {}}}, False),
        ({"1": {"class_type": "X", "inputs": {}}}, False),
        ([], False),
        (None, False),
    ],
)
def test_the_editors_format_is_known_by_its_list_of_nodes(value: object, expected: bool) -> None:
    assert is_editor_format(value) is expected


def test_values_by_name_are_taken_by_name() -> None:
    values = {"format": "mp4", "crf": 19, "pix_fmt": "yuv", "videopreview": {"hidden": False}}
    drawing = workflow([node(1, "Video", widgets_values=values)])
    assert inputs(drawing) == {"rate": 8, "format": "mp4", "crf": 19, "pix_fmt": "yuv"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("%date:yyyy-MM-dd%/x", "2026-03-07/x"),
        ("%date:yy M d h:m:s%", "26 3 7 5:9:8"),
        ("%date:hhmmss yyy%", "050908 yyy"),
        ("%year%_%width%", "%year%_%width%"),
        ("%Sampler.cfg%", "7.5"),
        ("%A Sampler.name%_%A Sampler.tiled%", "euler_true"),
        ("%Sampler.text%", "a_b_ c"),
        ("%Sampler.gone%%Nobody.cfg%", "%Sampler.gone%%Nobody.cfg%"),
        ("%a.b.c%", "%a.b.c%"),
    ],
)
def test_file_names_are_filled_in(pattern: str, expected: str) -> None:
    drawing = sampler("a/b: c")
    drawing["nodes"][0]["properties"] = {"Node name for S&R": "Sampler"}
    drawing["nodes"].append(node(2, "SaveImage", widgets_values=[pattern]))
    assert inputs(drawing, "2", now=NOW)["filename_prefix"] == expected


def test_every_choice_in_a_prompt_is_made_once() -> None:
    asked: list[Sequence[str]] = []

    def last(options: Sequence[str]) -> str:
        asked.append(tuple(options))
        return options[-1]

    text = inputs(sampler("{a|b} {c|d {e|f}|{g|h\\|i}} {"), choose=last)["text"]
    assert text == "b h|i "
    assert asked == [("a", "b"), ("c", "d {e|f}", "{g|h\\|i}"), ("g", "h\\|i"), ("",)]


def test_without_a_word_about_it_choices_are_made_by_chance() -> None:
    drawing = sampler("{a|b|c|d|e|f|g|h}")
    seen = {inputs(drawing, choose=choice)["text"] for choice in (min, max)}
    assert seen == {"a", "h"}


def test_a_number_that_a_browser_cannot_hold_stays_exact() -> None:
    drawing = workflow([node(1, "Sampler", widgets_values=[18446744073709551615])])
    assert inputs(drawing)["seed"] == 18446744073709551615


def test_numbers_written_as_text_are_left_to_comfyui() -> None:
    drawing = workflow([node(1, "Sampler", widgets_values=["12", "fixed", "-1.5e2"])])
    assert inputs(drawing)["seed"] == "12"


def test_a_linked_widget_may_hold_anything() -> None:
    nodes = [
        node(1, "Sampler", linked("seed", 1, widget=True), widgets_values=["?"]),
        node(2, "Sampler"),
    ]
    found = inputs(workflow(nodes, [[1, 2, 1, 1, 0, "STRING"]]))
    assert found["seed"] == ["2", 1]


@pytest.mark.parametrize(
    "links",
    [
        [[4, "n", 1, 1, 0, "*"]],
        [{"id": 4, "origin_id": "n", "origin_slot": 1, "target_id": 1, "target_slot": 0}],
        [None, ["4", "n", 1]],
    ],
)
def test_links_are_read_in_every_form(links: list[Any]) -> None:
    nodes = [node(1, "Sampler", linked("model", 4)), node("n", "Sampler")]
    assert inputs(workflow(nodes, links))["model"] == ["n", 1]


def test_an_input_of_a_subgraph_may_lead_straight_to_its_output() -> None:
    inside = subgraph(
        "S", [], [[3, -10, 0, -20, 0, "*"]], inputs=[port("in", 3)], outputs=[port("out", 3)]
    )
    nodes = [
        node(1, "Sampler", linked("model", 1)),
        node(2, "S", linked("in", 2)),
        node(3, "Sampler"),
    ]
    links = [[1, 2, 0, 1, 0, "MODEL"], [2, 3, 0, 2, 0, "MODEL"]]
    assert inputs(workflow(nodes, links, inside))["model"] == ["3", 0]


def test_every_use_of_a_subgraph_has_values_of_its_own() -> None:
    """The editor itself gives both the value of the last one, when these are primitives."""
    inside = subgraph(
        "S",
        [node(4, "Sampler", linked("cfg", 3, widget=True), widgets_values=[1, "fixed", 5.0])],
        [[3, -10, 0, 4, 0, "FLOAT"]],
        inputs=[port("cfg", 3, kind="FLOAT")],
    )
    nodes = [
        node(1, "S", linked("cfg", 1, widget=True), widgets_values=[2.0]),
        node(2, "S", widgets_values=[3.0]),
        node(3, "PrimitiveNode", outputs=[{"type": "FLOAT", "links": [1]}], widgets_values=[4.06]),
    ]
    graph = convert(workflow(nodes, [[1, 3, 0, 1, 0, "FLOAT"]], inside))
    assert graph["1:4"]["inputs"]["cfg"] == 4.1
    assert graph["2:4"]["inputs"]["cfg"] == 3.0


def test_a_primitive_inside_of_a_subgraph_gives_its_value_there() -> None:
    """The editor itself looks for its links outside, and finds others or none."""
    nodes = [
        node(4, "Sampler", linked("seed", 3, widget=True), widgets_values=[1]),
        node(5, "PrimitiveNode", outputs=[{"links": [3]}], widgets_values=[77, "fixed"]),
    ]
    inside = subgraph("S", nodes, [[3, 5, 0, 4, 0, "INT"]])
    assert inputs(workflow([node(1, "S")], [], inside), "1:4")["seed"] == 77


def test_a_primitive_may_fill_in_its_text_itself() -> None:
    primitive = node(
        2,
        "PrimitiveNode",
        outputs=[{"links": [1]}],
        widgets_values=["at %Video.rate%"],
        properties={"Run widget replace on values": True},
    )
    nodes = [
        node(1, "Sampler", linked("text", 1, widget=True)),
        primitive,
        node(3, "Video", title="Video", widgets_values=[24.0, "gif"]),
    ]
    assert inputs(workflow(nodes, [[1, 2, 0, 1, 0, "STRING"]]))["text"] == "at 24"


def test_a_primitive_may_even_ask_for_what_it_sets() -> None:
    primitive = node(
        2,
        "PrimitiveNode",
        outputs=[{"links": [1]}],
        widgets_values=["%S.text%!"],
        properties={"Run widget replace on values": True},
    )
    target = node(1, "Sampler", linked("text", 1, widget=True), title="S")
    target["widgets_values"] = [1, "fixed", 2, "euler", True, "own"]
    found = inputs(workflow([target, primitive], [[1, 2, 0, 1, 0, "STRING"]]))
    assert found["text"] == "own!"


def test_a_primitive_without_a_value_leaves_that_of_the_widget() -> None:
    nodes = [
        node(1, "Sampler", linked("seed", 1, widget=True), widgets_values=[6]),
        node(2, "PrimitiveNode", outputs=[{"links": [1]}]),
    ]
    assert inputs(workflow(nodes, [[1, 2, 0, 1, 0, "INT"]]))["seed"] == 6


def test_a_list_is_marked_as_no_link() -> None:
    nodes = {"Lists": {"input": {"required": {"picks": ["COMBO", {"multi_select": True}]}}}}
    drawing = workflow([node(1, "Lists", widgets_values=[["a", 0]])])
    found = inputs(drawing, catalog=Classes(nodes))
    assert found == {"picks": {"__value__": ["a", 0]}}


@pytest.mark.parametrize(
    ("inputs_of_it", "expected"),
    [([linked("a", 1)], {"images": ["1", 0]}), ([], {})],
)
def test_a_bypassed_node_passes_on_its_first_input_for_want_of_one_beside_the_output(
    inputs_of_it: list[Json], expected: Json
) -> None:
    bypassed = node(2, "Unknown", *inputs_of_it, mode=4)
    nodes = [node(1, "Sampler"), bypassed, node(3, "SaveImage", linked("images", 2))]
    links = [[1, 1, 0, 2, 0, "MODEL"], [2, 2, 1, 3, 0, "IMAGE"]]
    assert inputs(workflow(nodes, links), "3") == {**expected, "filename_prefix": "C"}


def test_a_field_shown_from_inside_has_no_value_of_its_own() -> None:
    inside = subgraph(
        "S",
        [node(4, "Sampler", linked("cfg", 3, widget=True)), node(5, "Sampler")],
        [[3, -10, 0, 4, 0, "FLOAT"]],
        inputs=[port("cfg", 3, kind="FLOAT")],
    )
    shown = {"proxyWidgets": [["-1", "cfg"], ["5", "cfg"]]}
    drawing = workflow([node(1, "S", widgets_values=[3.0, 9.0], properties=shown)], [], inside)
    assert inputs(drawing, "1:4")["cfg"] == 3.0
    assert inputs(drawing, "1:5")["cfg"] == 8.0
    as_text = {"proxyWidgets": '[["5", "cfg"], ["-1", "cfg"]]'}
    drawing = workflow([node(1, "S", widgets_values=[9.0, 3.0], properties=as_text)], [], inside)
    assert inputs(drawing, "1:4")["cfg"] == 3.0
