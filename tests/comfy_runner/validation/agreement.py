"""Whether what we find wrong with a graph is what ComfyUI said of it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from comfy_runner import validation
from comfy_runner.catalog import Catalog
from comfy_runner.errors import InvalidWorkflow
from comfy_runner.graph import checked_form
from comfy_runner.validation import Finding, Kind
from tests.comfy_runner.validation.live_answers import Answer
from tests.comfy_runner.validation.valid_graphs import declared

EXCEPTIONS = {"exception_during_validation", "exception_during_inner_validation"}


def disagreement(graph: Any, answer: Answer, catalog: Catalog) -> str | None:
    """Say where we and ComfyUI differ; None if we agree.

    We may say more than it does only where it says itself that it stopped looking.
    """
    try:
        checked_form(graph)
    except InvalidWorkflow:
        return _formless(graph, answer)
    found = validation.find(graph, catalog)
    kinds = {each.kind for each in found}
    if answer.status == 500:
        return "ComfyUI answered 500, and we find nothing" if not found else None
    if answer.error == "invalid_prompt":
        named = {f"Node ID '#{each.node}'" for each in found if each.kind is Kind.UNKNOWN_CLASS}
        return None if answer.details in named else f"{answer.details}, not {named}"
    if Kind.UNKNOWN_CLASS in kinds:
        return "we miss a class that is there"
    if answer.error == "prompt_no_outputs" or Kind.NO_OUTPUTS in kinds:
        same = answer.error == "prompt_no_outputs" and kinds == {Kind.NO_OUTPUTS}
        return None if same else f"{answer.error}, and we say {kinds}"
    return _verdicts(graph, answer, found, catalog)


def _formless(graph: Any, answer: Answer) -> str | None:
    """Agree if ComfyUI refused it too, or would have died of it."""
    if not answer.accepted:
        return None
    deadly = any(not isinstance(node.get("inputs"), dict) for node in graph.values())
    return None if deadly else "ComfyUI accepted what we do not take for a graph"


def _verdicts(graph: Any, answer: Answer, found: list[Finding], catalog: Catalog) -> str | None:
    ours: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
    for each in found:
        if each.kind not in {Kind.CYCLE, Kind.DEAD_END} and not _is_folder(graph, each):
            ours[str(each.node)].add((str(each.kind), each.input))
    circle = _goes_round(graph, catalog)
    if circle and not any(each.kind is Kind.CYCLE for each in found):
        return "we do not see the circle"
    if answer.accepted != (not ours and not circle):
        return f"accepted by ComfyUI: {answer.accepted}; we find {[e.message for e in found]}"
    for node, told in answer.nodes.items():
        loose = node in answer.stack_overflows or (circle and _unwrapped(graph[node]))
        if not loose and not _same(ours[node], told, graph[node], catalog):
            return (
                f"node {node}: {sorted(told, key=str)}, and we say {sorted(ours[node], key=str)}"
            )
    silent = {node for node in _surely_seen(graph, answer, catalog) if node not in answer.nodes}
    more = {node: told for node, told in ours.items() if told and node in silent}
    return f"only we say {more}" if more else None


def _same(ours: Any, told: Any, node: Any, catalog: Catalog) -> bool:
    return _may_stumble(ours, node, catalog) if _stumbled(told) else ours == set(told)


def _is_folder(graph: Any, found: Finding) -> bool:
    """Whether it is the one file that ComfyUI takes for there, and fails to read: a folder."""
    value = graph[found.node]["inputs"].get(found.input)
    return found.kind is Kind.NO_FILE and value == ""


def _unwrapped(node: Any) -> bool:
    """Whether ComfyUI, coming round to the node again, sees a list where it saw a `__value__`."""
    return any(isinstance(v, dict) and "__value__" in v for v in node["inputs"].values())


def _stumbled(told: Any) -> bool:
    return any(kind in EXCEPTIONS for kind, _ in told)


def _may_stumble(ours: Any, node: Any, catalog: Catalog) -> bool:
    """Whether we say what it stumbled over; a class's own check stumbles over anything odd."""
    own = catalog.validators.get(node["class_type"], ())
    return any(kind == Kind.STUMBLES or (name in own) for kind, name in ours)


def _links(graph: Any, node: str, catalog: Catalog) -> list[tuple[str, str]]:
    """Return input and node of each link that ComfyUI follows."""
    info = catalog.nodes[graph[node]["class_type"]]
    inputs = graph[node]["inputs"]
    names = [*declared(info, "required"), *declared(info, "optional")]
    links = [(name, inputs[name]) for name in names if isinstance(inputs.get(name), list)]
    whole = [(name, link[0]) for name, link in links if len(link) == 2]
    return [(name, to) for name, to in whole if isinstance(to, str) and to in graph]


def _surely_seen(graph: Any, answer: Answer, catalog: Catalog) -> set[str]:
    """Return the nodes that it cannot but have looked at, by what it says of the others."""
    waiting = [node for node in graph if _is_output(graph[node], catalog)]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        seen.add(node)
        told = answer.nodes.get(node, frozenset())
        if _stumbled(told):
            continue  # it went no further, and its order is by chance
        waiting += [
            target
            for name, target in _links(graph, node, catalog)
            if ("return_type_mismatch", name) not in told and target not in seen
        ]
    return seen


def _is_output(node: Any, catalog: Catalog) -> bool:
    return bool(catalog.nodes[node["class_type"]]["output_node"])


def _goes_round(graph: Any, catalog: Catalog) -> bool:
    """Whether ComfyUI, following right links from an output, comes back to where it was."""

    def back(node: str, path: tuple[str, ...]) -> bool:
        if node in path:
            return True
        if node in done:
            return False
        links = _links(graph, node, catalog)
        wrong = {each.input for each in validation.find(graph, catalog) if each.node == node}
        round_ = any(back(to, (*path, node)) for name, to in links if name not in wrong)
        done.add(node)
        return round_

    done: set[str] = set()
    return any(back(node, ()) for node in graph if _is_output(graph[node], catalog))
