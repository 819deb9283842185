"""What is refused about a graph, and what overrides and isolation make of it."""

from __future__ import annotations

import contextlib
import copy
import posixpath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_runner.errors import InvalidWorkflow, Problem
from comfy_runner.graph import (
    Graph,
    Override,
    UnknownInput,
    apply,
    check,
    dependencies,
    isolate,
)
from tests.comfy_runner import recordings

GRAPH: Graph = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 20, "positive": ["6", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}, "_meta": {"title": "T"}},
    "57:8": {
        "class_type": "SaveImage",
        "inputs": {"filename_prefix": "ComfyUI", "images": ["3", 0]},
    },
}


def node(**inputs: Any) -> dict[str, Any]:
    return {"class_type": "Any", "inputs": inputs}


def problems(graph: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidWorkflow) as caught:
        check(graph)
    return [(problem.pointer, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize("name", recordings.names())
def test_every_graph_that_comfyui_took_is_accepted(name: str) -> None:
    check(recordings.graph(name))


@pytest.mark.parametrize(
    "name",
    ["extra_unknown_input_ignored", "unused_node_invalid_ok", "value_out_of_range", "no_outputs"],
)
def test_what_only_comfyui_can_judge_is_left_to_it(name: str) -> None:
    check(recordings.load("invalid")[name]["body"]["prompt"])


@pytest.mark.parametrize(
    ("name", "pointer", "words"),
    [
        ("missing_class_type", "/1/class_type", "class_type"),
        ("link_to_missing_node", "/2/inputs/images", "'1', which does not exist"),
        ("node_missing_inputs", "/1/inputs", "inputs"),
        ("cycle", "/1", "circle"),
        ("prompt_is_list_ui_format", "", "Export (API)"),
        ("empty_prompt", "", "empty"),
        ("prompt_null", "", "null"),
        ("prefix_traversal", "/2/inputs/filename_prefix", "out of the output folder"),
        ("prefix_absolute", "/2/inputs/filename_prefix", "out of the output folder"),
    ],
)
def test_what_comfyui_answered_badly_is_refused_with_a_pointer(
    name: str, pointer: str, words: str
) -> None:
    (problem,) = problems(recordings.load("invalid")[name]["body"]["prompt"])
    assert problem[0] == pointer
    assert words in problem[1]


@pytest.mark.parametrize("value", [[], "graph", 3, True, None, 1.5])
def test_a_workflow_that_is_no_object_is_refused(value: object) -> None:
    ((pointer, message),) = problems(value)
    assert pointer == ""
    assert message.startswith("a workflow is a JSON object, not ")


def test_a_whole_prompt_request_is_recognised() -> None:
    assert problems({"prompt": GRAPH, "client_id": "x"}) == [
        ("/prompt", 'send the value of "prompt" itself as the workflow')
    ]


def test_all_problems_are_found_at_once_in_order() -> None:
    graph = {
        "1": "text",
        "2": {"inputs": {}},
        "3": {"class_type": "A", "inputs": []},
        "4": {"class_type": "", "inputs": {"a/b~c": ["nobody", 0]}},
        "5": node(a=["2", -1], b=["2", 1.5], c=["2", True], d=["2", "0"], e=["2", 0]),
    }
    assert [pointer for pointer, _ in problems(graph)] == [
        "/1",
        "/2/class_type",
        "/3/inputs",
        "/4/class_type",
        "/4/inputs/a~1b~0c",
        "/5/inputs/a",
        "/5/inputs/b",
        "/5/inputs/c",
        "/5/inputs/d",
    ]


def test_the_message_names_the_first_problem_and_counts_the_others() -> None:
    with pytest.raises(InvalidWorkflow, match=r"/1: a node is .* not a number \(and 1 more\)"):
        check({"1": 3, "2": 4})


def test_a_link_to_a_misspelt_node_names_the_near_one() -> None:
    ((_, message),) = problems({"sampler": node(), "2": node(x=["sampel", 0])})
    assert "did you mean 'sampler'?" in message


@pytest.mark.parametrize("value", [["a", "b"], [1, 0], ["6"], ["6", 0, 0], [], [None, 0]])
def test_a_list_that_is_no_link_is_left_to_the_node(value: list[Any]) -> None:
    check({"6": node(), "7": node(x=value)})


def test_overrides_replace_values_and_the_last_wins() -> None:
    changed = apply(
        GRAPH,
        [Override("6", "text", "a dog"), Override("3", "seed", 7), Override("3", "seed", 8)],
    )
    assert changed["6"] == {**GRAPH["6"], "inputs": {"text": "a dog"}}
    assert changed["3"]["inputs"] == {"seed": 8, "steps": 20, "positive": ["6", 0]}
    assert changed["57:8"] == GRAPH["57:8"]


@pytest.mark.parametrize("value", [[1, 2], ["6", 0], [], [["6", 0]]])
def test_a_raw_list_stays_a_list_and_never_becomes_a_link(value: list[Any]) -> None:
    changed = apply(GRAPH, [Override("3", "positive", value)])
    assert changed["3"]["inputs"]["positive"] == {"__value__": value}
    assert dependencies(changed)["3"] == frozenset()


@pytest.mark.parametrize("value", [None, True, 0, 1.5, "", {"a": [1]}, {"__value__": [1]}])
def test_any_other_raw_value_is_put_in_as_it_is(value: Any) -> None:
    assert apply(GRAPH, [Override("3", "steps", value)])["3"]["inputs"]["steps"] == value


def test_a_link_override_connects_the_input() -> None:
    changed = apply(GRAPH, [Override("3", "seed", ["6", 0], type="link")])
    assert changed["3"]["inputs"]["seed"] == ["6", 0]
    check(changed)


@pytest.mark.parametrize(
    ("override", "error", "pointer", "words"),
    [
        (Override("7", "text", 1), UnknownInput, "/1/node", "no node '7'"),
        (Override("57:9", "x", 1), UnknownInput, "/1/node", "did you mean '57:8'?"),
        (Override("3", "step", 1), UnknownInput, "/1/field", "did you mean 'steps'?"),
        (Override("6", "seed", 1), UnknownInput, "/1/field", "it has 'text'"),
        (Override("3", "seed", 1, "base64"), InvalidWorkflow, "/1/type", "'raw' or 'link'"),
        (Override("3", "seed", 5, "link"), InvalidWorkflow, "/1/value", "no link"),
        (Override("3", "seed", ["9", 0], "link"), InvalidWorkflow, "/1/value", "not exist"),
        (Override("3", "seed", ["6", -1], "link"), InvalidWorkflow, "/1/value", "slot -1"),
    ],
)
def test_an_override_that_fits_nothing_is_refused_with_a_pointer(
    override: Override, error: type[InvalidWorkflow], pointer: str, words: str
) -> None:
    with pytest.raises(error) as caught:
        apply(GRAPH, [Override("3", "seed", 2), override])
    (problem,) = caught.value.problems
    assert problem.pointer == pointer
    assert words in problem.message
    assert type(caught.value) is error


def test_all_overrides_that_fit_nothing_are_found_at_once() -> None:
    with pytest.raises(UnknownInput) as caught:
        apply(GRAPH, [Override("9", "x", 1), Override("3", "x", 1), Override("3", "seed", 1, "?")])
    assert [p.pointer for p in caught.value.problems] == ["/0/node", "/1/field", "/2/type"]


def test_isolation_puts_every_literal_prefix_into_the_jobs_folder() -> None:
    graph: Graph = {
        "1": node(filename_prefix="a/b_%width%"),
        "2": node(filename_prefix=["1", 0]),
        "3": node(filename_prefix={"__value__": []}),
        "4": node(text="x"),
    }
    isolated = isolate(graph, "job-1")
    assert isolated == {**graph, "1": node(filename_prefix="job-1/a/b_%width%")}


@pytest.mark.parametrize("prefix", ["", ".", "./", "a/.."])
def test_a_prefix_without_a_name_does_not_fall_out_of_the_jobs_folder(prefix: str) -> None:
    isolated = isolate({"1": node(filename_prefix=prefix)}, "job-1")
    assert isolated["1"]["inputs"]["filename_prefix"] == "job-1/ComfyUI"


@pytest.mark.parametrize("prefix", ["..", "../x", "/tmp/x", "a/../../x", "..\\x", "a\0b"])
def test_a_prefix_that_leads_out_is_refused(prefix: str) -> None:
    graph = {"1": node(filename_prefix=prefix)}
    assert [pointer for pointer, _ in problems(graph)] == ["/1/inputs/filename_prefix"]
    with pytest.raises(InvalidWorkflow):
        isolate(graph, "job-1")


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "a b", "x" * 129, "a\n"])
def test_a_job_id_that_is_no_plain_name_cannot_isolate(job_id: str) -> None:
    with pytest.raises(ValueError, match="folder"):
        isolate(GRAPH, job_id)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(["1", "2", "x", "filename_prefix"])
NODES = st.builds(lambda inputs: node(**inputs), st.dictionaries(NAMES, VALUES))
OVERRIDES = st.builds(Override, NAMES, NAMES, VALUES, st.sampled_from(["raw", "link"]))


@given(st.dictionaries(NAMES, NODES), st.lists(OVERRIDES, max_size=4))
def test_nothing_changes_the_graph_it_is_given(graph: Graph, overrides: list[Override]) -> None:
    before, wanted = copy.deepcopy(graph), copy.deepcopy(overrides)
    for call in (
        lambda: check(graph),
        lambda: apply(graph, overrides),
        lambda: isolate(graph, "job"),
        lambda: dependencies(graph),
    ):
        with contextlib.suppress(InvalidWorkflow):
            call()
    assert (graph, overrides) == (before, wanted)


@given(VALUES | st.dictionaries(NAMES, VALUES))
def test_any_json_is_either_accepted_or_refused_with_problems(graph: Any) -> None:
    found: tuple[Problem, ...] | None = None
    try:
        check(graph)
    except InvalidWorkflow as error:
        found = error.problems
    assert found is None or found


@given(st.text())
def test_any_prefix_ends_up_in_the_jobs_folder_or_is_refused(prefix: str) -> None:
    graph = {"1": node(filename_prefix=prefix)}
    try:
        isolated = isolate(graph, "job")
    except InvalidWorkflow:
        return
    path = isolated["1"]["inputs"]["filename_prefix"]
    # As ComfyUI takes it apart (folder_paths.get_save_image_path).
    assert posixpath.dirname(posixpath.normpath(path)).split("/")[0] == "job"
