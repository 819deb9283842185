"""What feeds an input, behind reroutes, bypassed nodes and the borders of subgraphs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from comfy_runner.editor_format.document import BYPASSED, INNER_SIDE, Findings, Link, Node, Slot
from comfy_runner.editor_format.fields import Fields
from comfy_runner.editor_format.unfolding import REROUTE, VIRTUAL, Scope

_ANY = "*"


@dataclass(frozen=True)
class Source:
    """An output of a node that will run."""

    node: str
    slot: int


@dataclass(frozen=True)
class Literal:
    """A value that a subgraph shows as a field of its own.

    `inside` says that the field is linked, to nothing that runs: its value is then that of
    the widget inside, and counts as typed into it.
    """

    value: Any
    inside: bool = False


@dataclass(frozen=True)
class _At:
    """A point on the way back: an input or an output, and the type that is looked for."""

    scope: Scope
    node: Node
    slot: int
    is_output: bool = False
    type: str | None = None
    direct: bool = True
    """Whether nothing but borders of subgraphs lies between here and the start."""
    otherwise: Literal | None = None


_Output = tuple[Scope, Node, int, str | None]


class Wiring:
    """Follows links back to where they come from; what leads nowhere becomes a finding."""

    def __init__(self, fields: Fields, findings: Findings) -> None:
        self._fields = fields
        self._findings = findings
        self._known: dict[_Output, Source | Literal | None] = {}

    def feed(self, scope: Scope, node: Node, slot: int) -> Source | Literal | None:
        """Return what feeds the input, None where nothing does."""
        at: _At | Source | Literal | None = _At(scope, node, slot)
        otherwise: Literal | None = None
        passed: dict[_Output, None] = {}
        while isinstance(at, _At):
            otherwise = at.otherwise
            if not at.is_output:
                at = self._behind_input(at)
                continue
            output = (at.scope, at.node, at.slot, at.type)
            if output in self._known:
                at = self._known[output]
            elif output in passed:
                message = f"{at.node.label}: links lead in a circle through it"
                self._findings.add(at.node.pointer, message)
                at = None
            else:
                passed[output] = None
                at = self._behind_output(at)
        self._known.update(dict.fromkeys(passed, at))
        return at or otherwise

    def _behind_input(self, at: _At) -> _At | Literal | None:
        if at.slot >= len(at.node.inputs):
            return None
        slot, drawing = at.node.inputs[at.slot], at.scope.drawing
        if slot.link is None:
            return None
        link = drawing.links.get(slot.link)
        if link is None:
            self._leads_nowhere(at.node, slot, f"link {slot.link}, which does not exist")
            return None
        if link.origin == INNER_SIDE and at.scope.instance is not None:
            return self._outside(at, slot, link)
        origin = drawing.nodes.get(link.origin)
        if origin is None:
            self._leads_nowhere(at.node, slot, f"node {link.origin}, which does not exist")
            return None
        kind = at.type or slot.type
        return replace(at, node=origin, slot=link.slot, is_output=True, type=kind, direct=False)

    def _outside(self, at: _At, slot: Slot, link: Link) -> _At | Literal | None:
        """Step out of a subgraph, to the input that its node has in the scope around it."""
        parent, instance = at.scope.parent, at.scope.instance
        if parent is None or instance is None or link.slot >= len(at.scope.drawing.inputs):
            self._leads_nowhere(
                at.node, slot, f"input {link.slot} of its subgraph, which has less"
            )
            return None
        name = instance.inputs[link.slot].name
        values = self._fields.values(parent, instance)
        if instance.inputs[link.slot].link is None:
            return Literal(values[name]) if name in values else None
        shown = Literal(values[name], inside=True) if name in values else at.otherwise
        otherwise = shown if at.direct else at.otherwise
        return _At(parent, instance, link.slot, direct=at.direct, otherwise=otherwise)

    def _behind_output(self, at: _At) -> _At | Source | None:
        node, inside = at.node, at.scope.inner.get(at.node.id)
        if node.mode == BYPASSED:
            slot = _bypass(node, at.slot, at.type or _ANY)
            return None if slot is None else replace(at, slot=slot, is_output=False, type=None)
        if inside is not None:
            return self._inside(at, inside)
        if node.type == REROUTE:
            return replace(at, is_output=False)
        if node.type in VIRTUAL:
            return None
        return Source(at.scope.id_of(node), at.slot)

    def _inside(self, at: _At, inside: Scope) -> _At | None:
        """Step into a subgraph, to the node that makes one of its outputs."""
        ports, links = inside.drawing.outputs, inside.drawing.links
        if at.slot >= len(ports):
            message = f"{at.node.label} has no output {at.slot}, and something is linked to it"
            self._findings.add(at.node.pointer, message)
            return None
        link = next((links[link] for link in ports[at.slot].links if link in links), None)
        if link is None:
            return None
        if link.origin == INNER_SIDE:
            return replace(at, slot=link.slot, is_output=False)
        origin = inside.drawing.nodes.get(link.origin)
        if origin is None:
            message = (
                f"output {ports[at.slot].name!r} comes from node {link.origin}, which is gone"
            )
            self._findings.add(at.node.pointer, f"{at.node.label}: its {message}")
            return None
        return replace(at, scope=inside, node=origin, slot=link.slot)

    def _leads_nowhere(self, node: Node, slot: Slot, where: str) -> None:
        message = f"{node.label}: its input {slot.name!r} is linked to {where}"
        self._findings.add(f"{node.pointer}/inputs", message)


def _bypass(node: Node, slot: int, wanted: str) -> int | None:
    """Return the input that a bypassed node passes on in place of an output, as the editor."""
    inputs = node.inputs
    if wanted == _ANY:
        return slot if len(inputs) > slot else 0
    output = node.outputs[slot] if slot < len(node.outputs) else _ANY
    fitting = [index for index, one in enumerate(inputs) if _go(one.type, output, wanted)]
    if slot in fitting:
        return slot
    exact = (index for index, one in enumerate(inputs) if one.type == wanted)
    return next(exact, next(iter(fitting), None))


def _go(offered: str, *others: str) -> bool:
    """Whether a type connects to all the others (`isValidConnection` of LiteGraph)."""
    return all(_connects(offered, other) for other in others)


def _connects(one: str, other: str) -> bool:
    if _ANY in (one, other) or one == other:
        return True
    a, b = one.lower().split(","), other.lower().split(",")
    return bool({*a} & {*b}) or not {"*", ""}.isdisjoint((*a, *b))
