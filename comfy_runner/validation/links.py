"""Whether a link leads to an output that is there and of the right type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comfy_runner.signatures import ANY, Signature, Type, fits
from comfy_runner.validation.findings import Kind, brief, near

Fault = tuple[Kind, str]


@dataclass(frozen=True)
class Sources:
    """What may be linked to: the signatures of all nodes, None for a class that is unknown.

    With `star`, the type `*` links to every type.
    """

    signatures: Mapping[str, Signature | None]
    star: bool


def fault_of_link(wanted: Type | None, link: list[Any], sources: Sources) -> Fault | None:
    """Say what is wrong with a list in the place of a value; None if nothing is.

    `wanted` is None where the class itself judges the types of its links.
    """
    if len(link) != 2:
        told = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
        way_out = 'a list that is meant as a value is written {"__value__": [...]}'
        return Kind.NO_LINK, f"{told}, not {brief(link)}; {way_out}"
    node, slot = link
    if not isinstance(node, str) or node not in sources.signatures:
        return Kind.STUMBLES, missing_node(node, sources.signatures)
    source = sources.signatures[node]
    if source is None:
        return None  # its class is unknown, and that is told at its own place
    given = _output(source, slot)
    if given is None:
        return Kind.STUMBLES, _missing_slot(node, slot, source)
    if wanted is None or fits(given, wanted, star=sources.star):
        return None
    return Kind.WRONG_LINK, _mismatch(wanted, given, node, source, star=sources.star)


def missing_node(node: object, nodes: Mapping[str, object]) -> str:
    """Say that a link leads to a node that is not there."""
    if isinstance(node, str):
        return f"links to node {brief(node)}, which does not exist{near(node, nodes)}"
    return f'links to node {brief(node)}: the id of a node is text, such as "4"'


def _output(source: Signature, slot: Any) -> Type | None:
    """Return the type at a slot as Python's indexing finds it, as ComfyUI does."""
    if isinstance(slot, int) and -len(source.outputs) <= slot < len(source.outputs):
        return source.outputs[slot]
    return Type("*", ANY) if source.endless else None


def _missing_slot(node: str, slot: Any, source: Signature) -> str:
    who = f"node {node} ({source.name})"
    outputs = ", ".join(f"{n} ({each.words})" for n, each in enumerate(source.outputs))
    return f"links to slot {brief(slot)} of {who}, which has {outputs or 'no outputs'}"


def _mismatch(wanted: Type, given: Type, node: str, source: Signature, *, star: bool) -> str:
    told = (
        "Return type mismatch between linked nodes: "
        f"received_type({given.words}) mismatch input_type({wanted.words})"
    )
    fitting = [
        str(slot) for slot, each in enumerate(source.outputs) if fits(each, wanted, star=star)
    ]
    if not fitting:
        return told
    return f"{told}; node {node} ({source.name}) gives that at slot {' or '.join(fitting)}"
