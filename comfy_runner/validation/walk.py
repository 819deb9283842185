"""The way through a workflow: from its outputs to all that they need, each node once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from itertools import chain, islice
from typing import Any

from comfy_runner.catalog import Catalog
from comfy_runner.graph import Graph, is_link
from comfy_runner.signatures import Field, Signature
from comfy_runner.validation.findings import Finding, Kind, brief, near
from comfy_runner.validation.links import Sources, fault_of_link, missing_node
from comfy_runner.validation.values import CONVERSIONS, Fault, fault_of_value

MOST_FINDINGS = 200
"""Each costs a search for near names, and nobody reads more."""

Signatures = Mapping[str, Signature | None]


def findings(graph: Graph, catalog: Catalog, *, media: Collection[str]) -> list[Finding]:
    """Return what is wrong, in the order of the workflow's nodes and of their inputs.

    Of very much that is wrong only some: `MOST_FINDINGS`.
    """
    signatures = {node: catalog.signature(graph[node]["class_type"]) for node in graph}
    unknown = [node for node, known in signatures.items() if known is None]
    outputs = [node for node, known in signatures.items() if known and known.is_output]
    if not outputs and not unknown:
        message = "no node of the workflow is an output, such as SaveImage"
        return [Finding(Kind.NO_OUTPUTS, message)]
    # of an unknown class nobody can tell whether it is an output: it may well be
    roots = [*outputs, *unknown]
    judged = _closure(graph, roots, lambda node: _followed(graph, node, signatures))
    sources = Sources(signatures, catalog.stars_fit_all)
    found = chain(
        (_unknown_class(graph, node, catalog) for node in unknown),
        (each for node in judged for each in _node_findings(graph, node, sources, media)),
        dead_ends(graph, roots, signatures, judged),
    )
    place = {node: number for number, node in enumerate(graph)}
    return sorted(islice(found, MOST_FINDINGS), key=lambda each: place[each.node or ""])


def dead_ends(
    graph: Graph, outputs: Iterable[str], signatures: Signatures, judged: Collection[str]
) -> Iterator[Finding]:
    """Yield what ComfyUI cannot run though it may well accept it.

    It looks at the inputs that a class declares, and then runs what any input links to. There, a
    link to no node kills the thread that runs prompts, and nodes that feed each other in a circle
    run never; both were seen with 0.3.75.
    """
    run = _closure(graph, outputs, lambda node: _linked(graph, node))
    for node in run:
        known = signatures[node] if node in judged else None
        declared = {field.name: field for field in known.fields} if known else {}
        for name, value in graph[node]["inputs"].items():
            link = _unwrapped(declared[name], value) if name in declared else value
            if is_link(link) and link[0] not in graph:
                told = missing_node(link[0], graph)
                yield _finding(graph, node, Kind.DEAD_END, told, name)
    needs = {node: {*_linked(graph, node), *_followed(graph, node, signatures)} for node in run}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        told = f"nodes feed each other in a circle: {' -> '.join(circle)}"
        yield _finding(graph, circle[0], Kind.CYCLE, told)


def _unwrapped(field: Field, value: Any) -> Any:
    """Return the list that ComfyUI takes out of a `__value__`, and then for a link; else None.

    A plain list in such a place is judged as a link already.
    """
    converted = isinstance(field.type.name, str) and field.type.name in CONVERSIONS
    return value.get("__value__") if isinstance(value, dict) and not converted else None


def _followed(graph: Graph, node: str, signatures: Signatures) -> Iterator[str]:
    """Yield the nodes that ComfyUI looks at next when it checks this one, with any slot."""
    known, inputs = signatures[node], graph[node]["inputs"]
    if known is None:
        yield from _linked(graph, node)
        return
    for field in known.fields:
        value = inputs.get(field.name)
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
            yield value[0]


def _linked(graph: Graph, node: str) -> Iterator[str]:
    """Yield the nodes that have to run before this one."""
    return (value[0] for value in graph[node]["inputs"].values() if is_link(value))


def _closure(
    graph: Graph, outputs: Iterable[str], behind: Callable[[str], Iterator[str]]
) -> dict[str, None]:
    """Return the nodes that lie behind `outputs`, in no special order; without recursion."""
    waiting = list(outputs)
    seen = dict.fromkeys(waiting)
    while waiting:
        for node in behind(waiting.pop()):
            if node in graph and node not in seen:
                seen[node] = None
                waiting.append(node)
    return seen


def _node_findings(
    graph: Graph, node: str, sources: Sources, media: Collection[str]
) -> Iterator[Finding]:
    known, inputs = sources.signatures[node], graph[node]["inputs"]
    if known is None:
        return
    for name in known.broken:
        told = "ComfyUI cannot read how its class declares it"
        yield _finding(graph, node, Kind.STUMBLES, told, name)
    for field in known.fields:
        if field.name not in inputs:
            if field.required:
                told = _missing(field, known, inputs)
                yield _finding(graph, node, Kind.MISSING, told, field.name)
            continue
        fault = _fault(field, inputs[field.name], known, sources, media)
        if fault is not None:
            kind, message, missing = fault
            finding = _finding(graph, node, kind, message, field.name)
            yield replace(finding, model_missing=missing)


def _fault(
    field: Field, value: Any, known: Signature, sources: Sources, media: Collection[str]
) -> Fault | None:
    if not isinstance(value, list):
        return fault_of_value(field, value, media=media)
    fault = fault_of_link(None if known.checks_links else field.type, value, sources)
    if fault is not None:
        return (*fault, False)
    if field.files is not None:
        return Kind.STUMBLES, "takes the name of a file, not a link", False
    return None


def _missing(field: Field, known: Signature, inputs: Mapping[str, Any]) -> str:
    declared = {each.name for each in known.fields}
    stray = [name for name in inputs if name not in declared]
    return f"Required input is missing ({field.type.words}){_instead(field.name, stray)}"


def _instead(name: str, stray: Collection[str]) -> str:
    guess = near(name, stray)
    return f"; the node has an input of another name{guess}" if guess else ""


def _unknown_class(graph: Graph, node: str, catalog: Catalog) -> Finding:
    class_type = graph[node]["class_type"]
    told = (
        f"this ComfyUI has no node class {brief(class_type)}{near(class_type, catalog.nodes)};"
        " correct its name or install the custom node that brings it"
    )
    return Finding(Kind.UNKNOWN_CLASS, told, node=node, class_type=class_type)


def _finding(
    graph: Graph, node: str, kind: Kind, message: str, name: str | None = None
) -> Finding:
    return Finding(kind, message, node=node, class_type=graph[node]["class_type"], input=name)
