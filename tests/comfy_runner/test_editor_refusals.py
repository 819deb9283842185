"""What cannot be converted faithfully is refused, with every node named and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.comfy_runner.editor_drawings import (
    Json,
    convert,
    linked,
    node,
    port,
    refused,
    subgraph,
    workflow,
)

VALUES = [1, "fixed", 7.5, "euler", True, "text"]


def sampler(node_id: int = 1, *inputs: Json, **rest: Any) -> Json:
    return node(node_id, "Sampler", *inputs, **{"widgets_values": VALUES, **rest})


def only(drawing: Json) -> tuple[str, str]:
    problems = refused(drawing)
    assert len(problems) == 1, problems
    return problems[0].pointer, problems[0].message


def test_an_unknown_class_is_named_with_the_nearest_ones() -> None:
    pointer, message = only(workflow([node(7, "Samplr", title="My own")]))
    assert pointer == "/nodes/0/type"
    assert message == (
        "node 7 (Samplr, 'My own'): there is no such class here (did you mean 'Sampler'?)"
    )


@pytest.mark.parametrize("kind", ["workflow>Mine", "workflow/Mine"])
def test_a_group_node_is_refused_with_what_to_make_of_it(kind: str) -> None:
    pointer, message = only(workflow([node(3, kind)]))
    assert pointer == "/nodes/0/type"
    assert "group node: ungroup it, or make it a subgraph" in message


def test_a_node_with_more_values_than_its_class_has_widgets_is_refused() -> None:
    pointer, message = only(workflow([sampler(widgets_values=[*VALUES, 5])]))
    assert pointer == "/nodes/0/widgets_values"
    assert message.startswith("node 1 (Sampler) has 7 widget values, and the class has only 6 ")
    assert "seed, control_after_generate, cfg, name, tiled, text" in message


@pytest.mark.parametrize(
    ("index", "value", "widget"),
    [
        (0, "fixed", "INT for 'seed'"),
        (0, True, "INT for 'seed'"),
        (0, None, "INT for 'seed'"),
        (2, "euler", "FLOAT for 'cfg'"),
        (2, [1], "FLOAT for 'cfg'"),
        (3, ["euler"], "COMBO for 'name'"),
        (4, "yes", "BOOLEAN for 'tiled'"),
        (4, 20, "BOOLEAN for 'tiled'"),
        (5, {}, "STRING for 'text'"),
    ],
)
def test_a_value_of_another_kind_than_its_widget_is_refused(
    index: int, value: object, widget: str
) -> None:
    values = [*VALUES[:index], value, *VALUES[index + 1 :]]
    pointer, message = only(workflow([sampler(widgets_values=values)]))
    assert pointer == "/nodes/0/widgets_values"
    assert message.startswith(f"node 1 (Sampler): {value!r} is no {widget}")


def test_a_number_for_a_text_is_refused_where_values_are_missing_too() -> None:
    drawing = workflow([node(1, "SaveImage", widgets_values=[5, "", None])])
    assert "5 is no STRING for 'filename_prefix'" in only(drawing)[1]


def test_a_value_that_only_the_browser_can_make_is_refused() -> None:
    pointer, message = only(workflow([node(1, "Webcam", widgets_values=[""])]))
    assert pointer == "/nodes/0/widgets_values"
    assert message == "node 1 (Webcam): the browser makes the value of 'image'"


def test_an_input_linked_by_a_link_that_is_not_there_is_refused() -> None:
    pointer, message = only(workflow([sampler(1, linked("model", 9))]))
    assert pointer == "/nodes/0/inputs"
    assert message.endswith("its input 'model' is linked to link 9, which does not exist")


def test_an_input_linked_to_a_node_that_is_not_there_is_refused() -> None:
    drawing = workflow([sampler(1, linked("model", 9))], [[9, 5, 0, 1, 0, "MODEL"]])
    assert only(drawing)[1].endswith("'model' is linked to node 5, which does not exist")


def test_a_link_to_nothing_behind_a_reroute_is_found_there() -> None:
    nodes = [sampler(1, linked("model", 1)), node(2, "Reroute", linked("", 9))]
    drawing = workflow(nodes, [[1, 2, 0, 1, 0, "MODEL"]])
    assert only(drawing)[0] == "/nodes/1/inputs"


def test_links_of_nodes_that_take_no_part_do_not_matter() -> None:
    nodes = [sampler(1), sampler(2, linked("model", 9), mode=2), node(3, "Nobody", mode=2)]
    assert list(convert(workflow(nodes))) == ["1"]


def test_reroutes_in_a_circle_are_refused() -> None:
    nodes = [
        sampler(1, linked("model", 1)),
        node(2, "Reroute", linked("", 2)),
        node(3, "Reroute", linked("", 3)),
    ]
    links = [[1, 2, 0, 1, 0, "*"], [2, 3, 0, 2, 0, "*"], [3, 2, 0, 3, 0, "*"]]
    assert "links lead in a circle through it" in only(workflow(nodes, links))[1]


def test_two_nodes_with_one_id_are_refused() -> None:
    pointer, message = only(workflow([sampler(1), sampler(1)]))
    assert pointer == "/nodes/1/id"
    assert "a node before it has the same id" in message


def test_a_problem_inside_of_a_subgraph_is_told_once_however_often_it_is_used() -> None:
    inside = subgraph("S", [sampler(4, linked("model", 3))])
    pointer, _ = only(workflow([node(1, "S"), node(2, "S")], [], inside))
    assert pointer == "/definitions/subgraphs/0/nodes/0/inputs"


def test_a_subgraph_that_contains_itself_is_refused() -> None:
    one = subgraph("one", [node(5, "two")])
    two = subgraph("two", [node(6, "one")])
    pointer, message = only(workflow([node(1, "one")], [], one, two))
    assert pointer == "/definitions/subgraphs/1/nodes/0"
    assert message == "node 6 (one): a subgraph that contains itself"


def test_subgraphs_nested_very_deep_are_refused() -> None:
    chain = [subgraph(f"s{i}", [node(1, f"s{i + 1}")]) for i in range(60)]
    problems = refused(workflow([node(1, "s0")], [], *chain))
    assert "nest more than 50 deep" in problems[0].message


def test_subgraphs_that_unfold_without_end_are_refused() -> None:
    doubling = [subgraph(f"s{i}", [node(1, f"s{i + 1}"), node(2, f"s{i + 1}")]) for i in range(40)]
    problems = refused(workflow([node(1, "s0")], [], *doubling))
    assert "more than 10000 nodes" in problems[0].message


@pytest.mark.parametrize("slot", [1, 3])
def test_an_output_that_a_subgraph_does_not_have_is_refused(slot: int) -> None:
    nodes = [node(1, "S"), sampler(2, linked("model", 1))]
    inside = subgraph("S", [], outputs=[port("out")])
    drawing = workflow(nodes, [[1, 1, slot, 2, 0, "MODEL"]], inside)
    assert f"node 1 (S) has no output {slot}" in only(drawing)[1]


def test_an_output_of_a_subgraph_that_comes_from_no_node_is_refused() -> None:
    inside = subgraph("S", [], [[8, 77, 0, -20, 0, "*"]], outputs=[port("out", 8)])
    nodes = [node(1, "S"), sampler(2, linked("model", 1))]
    message = only(workflow(nodes, [[1, 1, 0, 2, 0, "MODEL"]], inside))[1]
    assert "its output 'out' comes from node 77, which is gone" in message


def test_an_input_that_a_subgraph_does_not_have_is_refused() -> None:
    inside = subgraph("S", [sampler(4, linked("model", 3))], [[3, -10, 2, 4, 0, "*"]])
    assert "input 2 of its subgraph" in only(workflow([node(1, "S")], [], inside))[1]


def test_choices_in_braces_nested_very_deep_are_refused() -> None:
    values = [*VALUES[:-1], "{" * 30]
    assert "nested more than 20 deep" in only(workflow([sampler(widgets_values=values)]))[1]


@pytest.mark.parametrize(
    ("drawing", "pointer"),
    [
        (workflow([3]), "/nodes/0"),
        (workflow([{"type": "Sampler"}]), "/nodes/0/id"),
        (workflow([{"type": "Sampler", "id": True}]), "/nodes/0/id"),
        (workflow([{"type": "Sampler", "id": 1.5}]), "/nodes/0/id"),
        (workflow([{"id": 1}]), "/nodes/0/type"),
        (workflow([], [5]), "/links/0"),
        (workflow([], [[1, 2]]), "/links/0"),
        (workflow([], [[1, 2, -1, 3, 0, "*"]]), "/links/0"),
        (workflow([], [[1, 2, True, 3, 0, "*"]]), "/links/0"),
        (workflow([], [{"id": 1, "origin_id": 2}]), "/links/0"),
        (workflow([], [], {"nodes": []}), "/definitions/subgraphs/0/id"),
        (workflow([], [], subgraph("S", []), subgraph("S", [])), "/definitions/subgraphs/1/id"),
        ({"nodes": [], "definitions": {"subgraphs": {}}}, "/definitions/subgraphs"),
    ],
)
def test_what_is_no_drawing_at_all_is_refused_where_it_is_wrong(
    drawing: Json, pointer: str
) -> None:
    assert only(drawing)[0] == pointer


def test_all_that_is_wrong_is_told_at_once() -> None:
    nodes = [node(1, "Nobody"), sampler(2, linked("model", 9)), sampler(3, widgets_values=["x"])]
    pointers = [problem.pointer for problem in refused(workflow(nodes))]
    assert pointers == ["/nodes/0/type", "/nodes/1/inputs", "/nodes/2/widgets_values"]
