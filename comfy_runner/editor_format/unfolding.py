"""The drawing unfolded: every use of a subgraph as a scope of its own, with its path of ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from comfy_runner.editor_format.document import Drawing, Findings, Node, Slot
from comfy_runner.editor_format.node_class import NodeClass, node_class

REROUTE = "Reroute"
PRIMITIVE = "PrimitiveNode"
VIRTUAL = (REROUTE, PRIMITIVE, "Note", "MarkdownNote")
"""Nodes that live in the editor alone."""

_MOST_NODES = 10_000
_DEEPEST = 50


class Classes:
    """The classes of the catalogue, each worked out when it is first asked for."""

    def __init__(self, nodes: Mapping[str, Any]) -> None:
        self._nodes = nodes
        self._known: dict[str, NodeClass] = {}

    def get(self, name: str) -> NodeClass | None:
        """Return the class of that name, None where the catalogue has no such class."""
        definition = self._nodes.get(name)
        if name not in self._known and isinstance(definition, Mapping):
            self._known[name] = node_class(name, definition)
        return self._known.get(name)

    def names(self) -> list[str]:
        """Return the names of all classes."""
        return list(self._nodes)


@dataclass(frozen=True, eq=False)
class Scope:
    """The workflow itself, or the inside of one node that stands for a subgraph."""

    drawing: Drawing
    path: tuple[str, ...] = ()
    parent: Scope | None = None
    instance: Node | None = None
    inner: dict[str, Scope] = field(default_factory=dict)

    def id_of(self, node: Node) -> str:
        """Return the id of a node of this scope in the API format, such as `57:8`."""
        return ":".join((*self.path, node.id))


def fitted(drawing: Drawing, classes: Classes, subgraphs: Mapping[str, Drawing]) -> Drawing:
    """Return the drawing with the inputs and outputs that each node's class has today.

    The editor does the same when it loads a workflow: inputs are matched by their names,
    and those that the class does not have stay behind them.
    """
    nodes = {
        node.id: _fitted(node, classes.get(node.type), subgraphs.get(node.type))
        for node in drawing.nodes.values()
    }
    ends = {
        slot.link: (node, slot) for node in nodes.values() for slot in node.inputs if slot.link
    }
    return replace(drawing, nodes=nodes, ends=ends)


def unfold(root: Drawing, subgraphs: Mapping[str, Drawing], findings: Findings) -> list[Scope]:
    """Return the scope of the workflow and those of all uses of its subgraphs, outer first."""
    first = Scope(root)
    scopes, count = [first], len(root.nodes)
    for scope in scopes:  # grows while it is walked, up to the limits
        for node in scope.drawing.nodes.values():
            drawing = subgraphs.get(node.type)
            if drawing is None or not _may_unfold(scope, node, drawing, findings):
                continue
            count += len(drawing.nodes)
            if count > _MOST_NODES or len(scopes) > _MOST_NODES:
                message = f"unfolded, its subgraphs make more than {_MOST_NODES} nodes"
                findings.add(node.pointer, f"{node.label}: {message}")
                return scopes
            inside = Scope(drawing, (*scope.path, node.id), scope, node)
            scope.inner[node.id] = inside
            scopes.append(inside)
    return scopes


def _may_unfold(scope: Scope, node: Node, drawing: Drawing, findings: Findings) -> bool:
    if len(scope.path) >= _DEEPEST:
        findings.add(node.pointer, f"{node.label}: subgraphs nest more than {_DEEPEST} deep")
        return False
    around: Scope | None = scope
    while around is not None:
        if around.instance is not None and around.drawing.id == drawing.id:
            findings.add(node.pointer, f"{node.label}: a subgraph that contains itself")
            return False
        around = around.parent
    return True


def _fitted(node: Node, kind: NodeClass | None, subgraph: Drawing | None) -> Node:
    if node.type in VIRTUAL:
        return node
    if subgraph is not None:
        ports = [Slot(port.name, port.type, widget=port.name) for port in subgraph.inputs]
        return _with_slots(node, ports, tuple(port.type for port in subgraph.outputs))
    if kind is None:
        return node
    sockets = [Slot(s.name, s.type, widget=s.name if s.widget else None) for s in kind.sockets]
    fit = _with_slots(node, sockets, kind.outputs)
    gone = [s for s in fit.inputs[len(sockets) :] if s.widget and not kind.widget(s.widget)]
    return replace(fit, inputs=tuple(slot for slot in fit.inputs if slot not in gone))


def _with_slots(node: Node, slots: list[Slot], outputs: tuple[str, ...]) -> Node:
    saved = {slot.name: slot for slot in node.inputs}
    names = {slot.name for slot in slots}
    linked = (replace(s, link=saved[s.name].link) if s.name in saved else s for s in slots)
    return replace(
        node,
        inputs=(*linked, *(slot for slot in node.inputs if slot.name not in names)),
        outputs=(*outputs, *node.outputs[len(outputs) :]),
    )


def all_nodes(scope: Scope) -> Iterator[tuple[Scope, Node]]:
    """Yield the nodes of a scope, each after those inside of it, as the editor walks them."""
    for node in scope.drawing.nodes.values():
        if node.id in scope.inner:
            yield from all_nodes(scope.inner[node.id])
        yield scope, node
