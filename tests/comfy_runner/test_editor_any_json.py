"""No JSON makes the conversion fail in a way of its own: it converts or refuses."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_runner.editor_format import NodeCatalog, is_editor_format
from comfy_runner.errors import InvalidWorkflow
from tests.comfy_runner.editor_drawings import Classes, Json, convert
from tests.comfy_runner.test_editor_workflows import PAIRS, RECORDED

NODE_KEYS = ["id", "type", "inputs", "outputs", "mode", "title", "widgets_values", "properties"]
OTHER_KEYS = ["name", "link", "links", "widget", "nodes", "definitions", "subgraphs", "linkIds"]
REST = ["proxyWidgets", "origin_id", "origin_slot", "-10", "S"]
KEYS = st.sampled_from([*NODE_KEYS, *OTHER_KEYS, *REST])
SCALARS = st.none() | st.booleans() | st.integers(-3, 12) | st.floats() | st.text(max_size=3)
NUMBERS = st.integers() | st.just(10**400)
WORDS = st.sampled_from(["Sampler", "SaveImage", "Reroute", "PrimitiveNode", "S", "seed", "*"])
ANY_JSON = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)
TURNS = st.lists(st.integers(0, 40), min_size=1, max_size=12)
WORKFLOWS = [json.loads(file.read_text(encoding="utf-8"))["editor"] for file in PAIRS]


def converted_or_refused(drawing: Json, catalog: NodeCatalog) -> None:
    problems = None
    try:
        convert(drawing, catalog=catalog)
    except InvalidWorkflow as error:
        problems = error.problems
    assert problems is None or all(problem.message for problem in problems)


def spoil(drawing: Any, turns: list[int], value: Any) -> None:
    """Put a value somewhere into a workflow, at the end of a path of turns."""
    for step, turn in enumerate(turns):
        keys = list(drawing) if isinstance(drawing, dict) else list(range(len(drawing)))
        key = keys[turn % len(keys)]
        below = drawing[key]
        if step == len(turns) - 1 or not isinstance(below, dict | list) or not below:
            drawing[key] = value
            return
        drawing = below


@given(nodes=st.lists(ANY_JSON, max_size=4), links=ANY_JSON, definitions=ANY_JSON)
@settings(max_examples=200, deadline=None)
def test_any_json_is_converted_or_refused(nodes: list[Any], links: Any, definitions: Any) -> None:
    drawing = {"nodes": nodes, "links": links, "definitions": definitions}
    converted_or_refused(drawing, Classes())


@given(drawing=st.sampled_from(WORKFLOWS), turns=TURNS, value=ANY_JSON | NUMBERS)
@settings(max_examples=400, deadline=None)
def test_a_workflow_with_anything_in_one_place_is_converted_or_refused(
    drawing: Json, turns: list[int], value: Any
) -> None:
    spoiled = copy.deepcopy(drawing)
    spoil(spoiled, turns, value)
    if is_editor_format(spoiled):
        converted_or_refused(spoiled, RECORDED)


@given(turns=TURNS, value=ANY_JSON | NUMBERS, drawing=st.sampled_from(WORKFLOWS))
@settings(max_examples=200, deadline=None)
def test_a_catalogue_with_anything_in_one_place_does_no_harm(
    turns: list[int], value: Any, drawing: Json
) -> None:
    nodes = copy.deepcopy(dict(RECORDED.nodes))
    spoil(nodes, turns, value)
    converted_or_refused(drawing, Classes(nodes))
