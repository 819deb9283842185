"""What the fields of all nodes hold, those of subgraphs and of primitive nodes included."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from comfy_runner.editor_format.document import Node, Port, Slot
from comfy_runner.editor_format.node_class import Widget
from comfy_runner.editor_format.primitives import given
from comfy_runner.editor_format.unfolding import PRIMITIVE, Classes, Scope
from comfy_runner.editor_format.values import as_shown, rounded, values_of, with_folders

Place = tuple[Scope, Node]


class Fields:
    """Looks the values of widgets up, node by node."""

    def __init__(self, classes: Classes, replace_in: Callable[[str], str]) -> None:
        self._classes = classes
        self._replace_in = replace_in
        self._own: dict[Place, dict[str, Any]] = {}
        self._all: dict[Place, dict[str, Any]] = {}
        self._given: dict[Place, Any] = {}

    def values(self, scope: Scope, node: Node) -> Mapping[str, Any]:
        """Return the values of the node's widgets by name; primitive nodes go before its own."""
        place = (scope, node)
        if place not in self._all:
            values = dict(self._own_values(scope, node))
            self._all[place] = values  # for a primitive that asks for what it is about to set
            for slot in node.inputs:
                primitive = _primitive(scope, slot)
                if primitive is not None and slot.widget in values:
                    values[slot.widget] = self._from(scope, primitive, (node, slot))
            kind = None if node.id in scope.inner else self._classes.get(node.type)
            self._all[place] = with_folders(values, kind) if kind else values
        return self._all[place]

    def widget(self, scope: Scope, node: Node, name: str | None) -> Widget | None:
        """Return a widget of the node; one of a subgraph is the first inside that it sets."""
        inside = scope.inner.get(node.id)
        if inside is None:
            kind = self._classes.get(node.type)
            return kind.widget(name) if kind else None
        port = next((port for port in inside.drawing.inputs if port.name == name), None)
        found = self._promoted(inside, port) if port else None
        return self.widget(inside, found[0], found[1]) if found else None

    def _own_values(self, scope: Scope, node: Node) -> dict[str, Any]:
        place = (scope, node)
        if place not in self._own:
            inside, kind = scope.inner.get(node.id), self._classes.get(node.type)
            if inside is not None:
                self._own[place] = self._of_subgraph(scope, node, inside)
            else:
                self._own[place] = values_of(node, kind) if kind else {}
        return self._own[place]

    def _of_subgraph(self, scope: Scope, node: Node, inside: Scope) -> dict[str, Any]:
        """Return the values that a use of a subgraph gives to the inputs it shows as fields."""
        values: dict[str, Any] = {}
        for port in inside.drawing.inputs:
            found = self._promoted(inside, port)
            if found is not None:
                values[port.name] = self._own_values(inside, found[0])[found[1]]
        saved = node.values if isinstance(node.values, tuple) else ()
        changes = dict(zip(list(values), saved, strict=False))
        shown = _shown(node)
        for (inner, name), value in zip(shown, saved, strict=False):
            if inner == "-1" and name in values and value is not None:
                changes[name] = value
        for name, value in changes.items():
            widget = self.widget(scope, node, name)
            values[name] = as_shown(widget, value) if widget else value
        # A field from inside takes the place of one with its name that is not shown itself.
        covered = {name for _, name in shown} - {name for inner, name in shown if inner == "-1"}
        return {name: value for name, value in values.items() if name not in covered}

    def _promoted(self, inside: Scope, port: Port) -> tuple[Node, str] | None:
        """Return the first node and widget inside that an input of a subgraph sets."""
        for link in port.links:
            node, slot = inside.drawing.ends.get(link, (None, None))
            if node and slot and slot.widget and slot.widget in self._own_values(inside, node):
                return node, slot.widget
        return None

    def _from(self, scope: Scope, primitive: Node, end: tuple[Node, Slot]) -> Any:
        widget = self.widget(scope, end[0], end[1].widget)
        if widget is None:
            return None
        if primitive.values:
            value = self._given_by(scope, primitive)
        else:
            value = self._own_values(scope, end[0])[widget_name(end)]
        if value and primitive.properties.get("Run widget replace on values"):
            value = self._replace_in(str(value))
        return as_shown(widget, rounded(widget.type, widget.options, value))

    def _given_by(self, scope: Scope, primitive: Node) -> Any:
        place = (scope, primitive)
        if place not in self._given:
            self._given[place] = given(primitive, list(self._ends(scope, primitive)))
        return self._given[place]

    def _ends(self, scope: Scope, primitive: Node) -> Iterator[Widget]:
        """Yield the widgets that a primitive node sets, in the order of its links."""
        for link in primitive.fan:
            node, slot = scope.drawing.ends.get(link, (None, None))
            widget = self.widget(scope, node, slot.widget) if node and slot else None
            if widget:
                yield widget


def widget_name(end: tuple[Node, Slot]) -> str:
    """Return the name of the widget that an input stands for."""
    return end[1].widget or end[1].name


def _primitive(scope: Scope, slot: Slot) -> Node | None:
    link = scope.drawing.links.get(slot.link or "") if slot.widget else None
    origin = scope.drawing.nodes.get(link.origin) if link else None
    return origin if origin is not None and origin.type == PRIMITIVE else None


def _shown(node: Node) -> list[tuple[str, str]]:
    """Return `[node id, widget]` for all fields that a subgraph shows; `-1` is its own."""
    raw = node.properties.get("proxyWidgets")
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError):
            return []
    pairs = raw if isinstance(raw, list) else []
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        return []
    return [(str(inner), str(name)) for inner, name in pairs]
