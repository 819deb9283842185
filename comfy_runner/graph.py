"""API-format graphs: what is wrong with one, overrides of its inputs, a folder of its own."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from typing import Any

from comfy_runner.errors import InvalidWorkflow, Problem
from comfy_runner.near import near
from comfy_runner.titles import Nodes, NoSuchNode

Graph = dict[str, Any]
"""A workflow in ComfyUI's API format: `{node id: {"class_type": ..., "inputs": {...}}}`."""

OVERRIDE_TYPES = ("raw", "link")
"""`raw` puts the value in as a literal; `link` takes `[node id, slot]` and connects."""

MOST_PROBLEMS = 100
"""How many problems of one workflow are reported at a time."""

_JOB_ID = re.compile(r"[A-Za-z0-9_+-]{1,128}")
_DEFAULT_PREFIX = "ComfyUI"


@dataclass(frozen=True)
class Override:
    """A value for one input of one node, in place of what the workflow holds.

    The node goes by its id, or by `@` and its title: `@Positive prompt`.
    With type `raw` the value is a literal, whatever it looks like: a list, even one
    shaped like a link, reaches the node as that list. With type `link` it must be
    `["node id", slot]` and connects the input to another node of the workflow.
    """

    node: str
    field: str
    value: Any
    type: str = "raw"


class UnknownInput(InvalidWorkflow):
    """An override names a node or a field that the workflow does not have."""


def check(graph: object) -> None:
    """Look for whatever can be seen without ComfyUI and report it at once.

    At most `MOST_PROBLEMS` are: looking for what was meant takes its time for each.

    The pointers of the problems are relative to the workflow, such as `/3/inputs/model`.

    Raises:
        InvalidWorkflow: Something is wrong; `problems` lists it in the graph's order.
    """
    problems = tuple(islice(_form_problems(graph, with_inputs=True), MOST_PROBLEMS))
    if not problems and isinstance(graph, dict):
        problems = tuple(_cycle_problems(graph))
    if problems:
        raise InvalidWorkflow(_summary("workflow", problems), problems=problems)


def checked_form(graph: object) -> Graph:
    """Return the graph if every node of it has the form of one; links are not looked at.

    Raises:
        InvalidWorkflow: It is no API-format graph; `problems` say where and why.
    """
    problems = tuple(islice(_form_problems(graph), MOST_PROBLEMS))
    if problems or not isinstance(graph, dict):
        raise InvalidWorkflow(_summary("workflow", problems), problems=problems)
    return graph


def prefix_problems(graph: Graph) -> list[Problem]:
    """Return what is wrong with prefixes of file names: those that lead out of the folder."""
    return [problem for node_id in graph for problem in _prefix_problems(graph, node_id)]


def apply(graph: Graph, overrides: Sequence[Override]) -> Graph:
    """Return a copy of the graph in which the overrides hold; the last one wins.

    The pointers of the problems are relative to the list, such as `/0/field`.

    Raises:
        UnknownInput: A node or field does not exist; near matches are named.
        InvalidWorkflow: A type is unknown, or a link is not one to a node that exists.
    """
    problems: list[Problem] = []
    nodes = Nodes(graph)
    unknown = False
    changed = dict(graph)
    for index, override in enumerate(overrides):
        node, missing = _target(graph, nodes, override)
        found = missing or _value_problem(graph, override)
        unknown = unknown or missing is not None
        if found is not None:
            problems.append(Problem(f"/{index}/{found.pointer}", found.message))
            if len(problems) == MOST_PROBLEMS:
                break
            continue
        value = _literal(override.value) if override.type == "raw" else override.value
        changed[node] = _with_input(changed[node], override.field, value)
    if problems:
        error = UnknownInput if unknown else InvalidWorkflow
        raise error(_summary("list of inputs", problems), problems=problems)
    return changed


def isolate(graph: Graph, folder: str, *, joiner: str | None = None) -> Graph:
    """Return a copy in which every `filename_prefix` begins with the job's own folder.

    Jobs then never share file names, and a save node is never answered from ComfyUI's
    cache with a file of an earlier job. A prefix that comes through a link is led through a
    node of the class `joiner`, ComfyUI's StringConcatenate; without one it stays as it is.

    Raises:
        InvalidWorkflow: A prefix leads out of the folder.
        ValueError: The folder is no plain name.
    """
    if not _JOB_ID.fullmatch(folder):
        raise ValueError(f"folder {folder!r}: use 1 to 128 of A-Z a-z 0-9 _ + -")
    problems = prefix_problems(graph)
    if problems:
        raise InvalidWorkflow(_summary("workflow", problems), problems=problems)
    isolated = dict(graph)
    for node_id, node in graph.items():
        prefix = _inputs(node).get("filename_prefix")
        if isinstance(prefix, str):
            name = _DEFAULT_PREFIX if posixpath.normpath(prefix) == "." else prefix
            isolated[node_id] = _with_input(node, "filename_prefix", f"{folder}/{name}")
        elif joiner and is_link(prefix):
            joined = f"{folder}/{node_id}"  # no id of the graph: a folder's name is unique
            inputs = {"string_a": f"{folder}/", "string_b": prefix, "delimiter": ""}
            isolated[joined] = {"class_type": joiner, "inputs": inputs}
            isolated[node_id] = _with_input(node, "filename_prefix", [joined, 0])
    return isolated


def links_a_prefix(graph: Graph) -> bool:
    """Whether a `filename_prefix` comes through a link."""
    return any(is_link(_inputs(node).get("filename_prefix")) for node in graph.values())


def dependencies(graph: Graph) -> dict[str, frozenset[str]]:
    """Return, for every node, the nodes of the graph that its inputs are linked to."""
    return {
        node_id: frozenset(
            value[0] for value in _inputs(node).values() if is_link(value) and value[0] in graph
        )
        for node_id, node in graph.items()
    }


def is_link(value: object) -> bool:
    """Whether ComfyUI takes the value for a link (comfy_execution/graph_utils.py, is_link)."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], int | float)
    )


def pointer_to(segment: str) -> str:
    """Return a path segment as a JSON pointer (RFC 6901)."""
    return "/" + segment.replace("~", "~0").replace("/", "~1")


def _form_problems(graph: object, *, with_inputs: bool = False) -> Iterator[Problem]:
    if not isinstance(graph, dict):
        yield Problem("", f"a workflow is a JSON object, not {_json_type(graph)}")
    elif not graph:
        yield Problem("", "the workflow is empty: it needs at least one node")
    elif isinstance(graph.get("nodes"), list):
        yield Problem(
            "",
            "this is a workflow as the editor saves it: in ComfyUI choose "
            "Workflow > Export (API) and send that file",
        )
    elif isinstance(graph.get("prompt"), dict) and "class_type" not in graph["prompt"]:
        yield Problem("/prompt", 'send the value of "prompt" itself as the workflow')
    else:
        for node_id in graph:
            yield from _node_problems(graph, node_id)
            if with_inputs:
                yield from _input_problems(graph, node_id)


def _node_problems(graph: Graph, node_id: str) -> Iterator[Problem]:
    pointer, node = pointer_to(node_id), graph[node_id]
    if not isinstance(node, dict):
        yield Problem(pointer, f"a node is a JSON object, not {_json_type(node)}")
        return
    class_type = node.get("class_type")
    if not isinstance(class_type, str) or not class_type:
        yield Problem(f"{pointer}/class_type", "a node needs a class_type, the name of its kind")
    if not isinstance(node.get("inputs"), dict):
        yield Problem(f"{pointer}/inputs", "a node needs inputs, a JSON object (it may be empty)")


def _input_problems(graph: Graph, node_id: str) -> Iterator[Problem]:
    for name, value in _inputs(graph[node_id]).items():
        message = _link_problem(graph, value)
        if message:
            yield Problem(f"{pointer_to(node_id)}/inputs{pointer_to(name)}", message)
    yield from _prefix_problems(graph, node_id)


def _link_problem(graph: Graph, value: object) -> str | None:
    """Say what is wrong with a link; lists that are none are left to the node itself."""
    if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
        return None
    target, slot = value
    if target not in graph:
        hint = near(target, graph)
        return f"links to node {target!r}, which does not exist{hint}" if is_link(value) else None
    if isinstance(slot, bool) or not isinstance(slot, int) or slot < 0:
        return f"links to slot {slot!r} of node {target!r}: a slot is a whole number from 0"
    return None


def _prefix_problems(graph: Graph, node_id: str) -> Iterator[Problem]:
    prefix = _inputs(graph[node_id]).get("filename_prefix")
    if not isinstance(prefix, str):
        return
    path = posixpath.normpath(prefix.replace("\\", "/"))
    if path.startswith(("../", "/")) or path == ".." or "\0" in path:
        message = f"{prefix!r} leads out of the output folder: use a relative path without '..'"
        yield Problem(f"{pointer_to(node_id)}/inputs/filename_prefix", message)


def _cycle_problems(graph: Graph) -> Iterator[Problem]:
    try:
        TopologicalSorter(dependencies(graph)).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        yield Problem(pointer_to(circle[0]), f"nodes feed each other in a circle: {circle}")


def _target(graph: Graph, nodes: Nodes, override: Override) -> tuple[str, Problem | None]:
    """Return the id of the node that is meant, and what is wrong with the node or the field."""
    try:
        node = nodes.find(override.node)
    except NoSuchNode as error:
        return "", Problem("node", str(error))
    names = _inputs(graph[node])
    if override.field in names:
        return node, None
    hint = near(override.field, names)
    has = f"; it has {', '.join(map(repr, names)) or 'none'}"
    message = f"node {override.node!r} has no input {override.field!r}{hint}{has}"
    return node, Problem("field", message)


def _value_problem(graph: Graph, override: Override) -> Problem | None:
    if override.type not in OVERRIDE_TYPES:
        known = " or ".join(map(repr, OVERRIDE_TYPES))
        return Problem("type", f"unknown type {override.type!r}: use {known}")
    if override.type == "raw":
        return None
    if not is_link(override.value):
        return Problem("value", f'{override.value!r} is no link: use ["node id", slot]')
    message = _link_problem(graph, override.value)
    return Problem("value", message) if message else None


def _literal(value: Any) -> Any:
    """Return the value as ComfyUI wants a literal: a bare list would be taken for a link."""
    return {"__value__": value} if isinstance(value, list) else value


def _inputs(node: object) -> Mapping[str, Any]:
    inputs = node.get("inputs") if isinstance(node, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def _with_input(node: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    return {**node, "inputs": {**node["inputs"], field: value}}


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return "null" if value is None else names.get(type(value), "a number")


def _summary(subject: str, problems: Sequence[Problem]) -> str:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"the {subject} is not valid: {first.pointer or '/'}: {first.message}{more}"
