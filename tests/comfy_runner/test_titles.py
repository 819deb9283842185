"""Nodes by id or by title."""

from __future__ import annotations

from typing import Any

import pytest

from comfy_runner.errors import InvalidWorkflow
from comfy_runner.graph import Override, UnknownInput, apply
from comfy_runner.titles import Nodes, NoSuchNode


def node(title: Any) -> dict[str, Any]:
    return {"class_type": "X", "inputs": {"a": 1}, "_meta": {"title": title}}


def test_a_node_is_found_by_its_id_or_its_title() -> None:
    nodes = Nodes({"1": node("One"), "2": node("@Two"), "3": node("")})
    names = {"1": "1", "@One": "1", "@@Two": "2", "@": "3"}
    assert {name: nodes.find(name) for name in names} == names


def test_an_id_wins_over_a_title() -> None:
    assert Nodes({"@One": node("x"), "2": node("One")}).find("@One") == "@One"


@pytest.mark.parametrize("name", ["One", "@one", "@One ", "@Same", "@", "@7", "@None"])
def test_what_is_no_title_of_one_node_finds_none(name: str) -> None:
    graph = {"1": node("One"), "2": node("Same"), "3": node("Same"), "4": node(7), "5": {}}
    with pytest.raises(NoSuchNode):
        Nodes({**graph, "6": {"_meta": None}, "7": None}).find(name)


def test_a_refusal_names_what_may_be_meant() -> None:
    nodes = Nodes({"1": node("Positive"), "2": node("Same"), "3": node("Same")})
    with pytest.raises(NoSuchNode, match=r"'Positve' \(did you mean '@Positive'\?\)"):
        nodes.find("@Positve")
    with pytest.raises(NoSuchNode, match=r"2 nodes .* an id, '2', '3'"):
        nodes.find("@Same")


def test_an_override_by_title_is_applied_to_its_node_and_the_last_one_wins() -> None:
    graph = {"1": node("One")}
    changed = apply(graph, [Override("1", "a", 2), Override("@One", "a", 3)])
    assert (changed["1"]["inputs"], graph["1"]["inputs"]) == ({"a": 3}, {"a": 1})


def test_an_override_by_title_is_refused_at_its_place() -> None:
    with pytest.raises(UnknownInput) as caught:
        apply({"1": node("One")}, [Override("@Two", "a", 1), Override("@One", "b", 1)])
    assert isinstance(caught.value, InvalidWorkflow)
    assert [each.pointer for each in caught.value.problems] == ["/0/node", "/1/field"]
    assert "'@One' has no input 'b'" in caught.value.problems[1].message
