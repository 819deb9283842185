"""Workflows as the editor saves them, turned into the API format without a browser."""

from __future__ import annotations

import difflib
import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from comfy_runner.editor_format.document import BYPASSED, MUTED, Findings, Node, read
from comfy_runner.editor_format.fields import Fields, Place
from comfy_runner.editor_format.node_class import ABSENT, NodeClass, Widget
from comfy_runner.editor_format.texts import NOTHING, Choose, one_of_each_choice, with_replacements
from comfy_runner.editor_format.unfolding import (
    VIRTUAL,
    Classes,
    Scope,
    all_nodes,
    fitted,
    unfold,
)
from comfy_runner.editor_format.values import misfits
from comfy_runner.editor_format.wiring import Source, Wiring
from comfy_runner.errors import InvalidWorkflow
from comfy_runner.graph import Graph

__all__ = ["NodeCatalog", "convert", "is_editor_format"]

_WAY_OUT = "in ComfyUI choose Workflow > Export (API) and send that file"
_LONGEST_NAME = 80
_MOST_LOOKED_FOR = 50
_GROUPS = ("workflow>", "workflow/")
_SAVERS = {
    "SaveImage",
    "SaveVideo",
    "SaveAnimatedWEBP",
    "SaveWEBM",
    "SaveAudio",
    "SaveGLB",
    "SaveAnimatedPNG",
    "CLIPSave",
    "VAESave",
    "ModelSave",
    "LoraSave",
    "SaveLatent",
}
"""The classes whose `filename_prefix` the editor fills in (saveImageExtraOutput.ts)."""


class NodeCatalog(Protocol):
    """What is needed of a catalogue: the classes as ComfyUI's `/object_info` has them."""

    @property
    def nodes(self) -> Mapping[str, Any]:
        """The definitions of the classes by name."""
        ...


def is_editor_format(workflow: object) -> bool:
    """Whether this is a workflow as the editor saves it, and not one in the API format."""
    return isinstance(workflow, dict) and isinstance(workflow.get("nodes"), list)


def convert(
    workflow: Mapping[str, Any],
    catalog: NodeCatalog,
    *,
    choose: Choose = random.choice,
    now: datetime | None = None,
) -> Graph:
    """Return the workflow in the API format, as the editor would export it.

    The ids are those of the drawing, as text; the nodes inside of a subgraph have the id
    of the node that stands for it before their own, as in `57:8`. `choose` picks from
    the `{options|of|prompts}`, and `now` is what `%date:...%` in file names means.

    Raises:
        InvalidWorkflow: It cannot be done faithfully; `problems` names every node.
    """
    findings = Findings()
    root, subgraphs = read(workflow, findings)
    classes = Classes(catalog.nodes)
    drawings = {name: fitted(item, classes, subgraphs) for name, item in subgraphs.items()}
    scopes = unfold(fitted(root, classes, subgraphs), drawings, findings)
    now = now or datetime.now().astimezone()
    exporter = _Exporter(classes, drawings, scopes[0], findings, choose, now)
    graph = {
        scope.id_of(node): exported
        for scope in scopes
        for node in scope.drawing.nodes.values()
        if (exported := exporter.export(scope, node)) is not None
    }
    problems = findings.problems()
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        first = f"{problems[0].pointer or '/'}: {problems[0].message}"
        message = f"the workflow cannot be converted from the editor's format: {first}{more}"
        raise InvalidWorkflow(f"{message}; {_WAY_OUT}", problems=problems)
    return _without_loose_ends(graph)


@dataclass
class _Exporter:
    classes: Classes
    subgraphs: Collection[str]
    root: Scope
    findings: Findings
    choose: Choose
    now: datetime

    def __post_init__(self) -> None:
        self.fields = Fields(self.classes, self._replaced)
        self.wiring = Wiring(self.fields, self.findings)
        self._near: dict[str, list[str]] = {}

    def export(self, scope: Scope, node: Node) -> dict[str, Any] | None:
        """Return a node in the API format, None where it does not take part."""
        silent = node.mode in (MUTED, BYPASSED) or node.type in VIRTUAL
        if silent or node.type in self.subgraphs:
            return None
        kind = self.classes.get(node.type)
        if kind is None:
            self.findings.add(f"{node.pointer}/type", self._unknown(node))
            return None
        inputs = dict(self._inputs(scope, node, kind))
        title = node.title or kind.title
        return {"inputs": inputs, "class_type": kind.name, "_meta": {"title": title}}

    def _inputs(self, scope: Scope, node: Node, kind: NodeClass) -> Iterator[tuple[str, Any]]:
        fed = {
            slot.name: source
            for index, slot in enumerate(node.inputs)
            if (source := self.wiring.feed(scope, node, index)) is not None
        }
        misfits(node, kind, frozenset(fed), self.findings)
        values = self.fields.values(scope, node)
        hidden = {widget.name for widget in kind.widgets if not widget.sent}
        for name, value in values.items():
            if name not in fed and name not in hidden and value is not ABSENT:
                text = self._worked_in(node, kind.widget(name), value)
                yield name, _literal(text)
        for name, source in fed.items():
            if isinstance(source, Source):
                yield name, [source.node, source.slot]
            elif source.value is not ABSENT:
                widget = kind.widget(name) if source.inside else None
                yield name, _literal(self._worked_in(node, widget, source.value))

    def _worked_in(self, node: Node, widget: Widget | None, value: Any) -> Any:
        """Return the text of a widget as the editor sends it; other values stay."""
        if widget is None or not isinstance(value, str):
            return value
        if node.type in _SAVERS and widget.name == "filename_prefix":
            return self._replaced(value)
        if widget.type != "STRING" or widget.options.get("dynamicPrompts") is not True:
            return value
        try:
            return one_of_each_choice(value, self.choose)
        except ValueError as error:
            self.findings.add(f"{node.pointer}/widgets_values", f"{node.label}: {error}")
            return value

    def _replaced(self, text: str) -> str:
        return with_replacements(text, self._look_up, self.now)

    def _look_up(self, name: str, widget: str) -> object:
        place = self._by_property.get(name) or self._by_title.get(name)
        return self.fields.values(*place).get(widget, NOTHING) if place else NOTHING

    @cached_property
    def _by_property(self) -> dict[str, Place]:
        """The first node, as the editor walks them, for every name that it replaces by."""
        places = reversed(list(all_nodes(self.root)))
        named = ((place[1].properties.get("Node name for S&R"), place) for place in places)
        return {name: place for name, place in named if isinstance(name, str)}

    @cached_property
    def _by_title(self) -> dict[str, Place]:
        return {self._title(place[1]): place for place in reversed(list(all_nodes(self.root)))}

    def _title(self, node: Node) -> str:
        kind = self.classes.get(node.type)
        return node.title or (kind.title if kind else node.type)

    def _unknown(self, node: Node) -> str:
        if node.type.startswith(_GROUPS):
            return f"{node.label} is a group node: ungroup it, or make it a subgraph"
        near = self._nearest(node.type[:_LONGEST_NAME])
        hint = f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""
        return f"{node.label}: there is no such class here{hint}"

    def _nearest(self, name: str) -> list[str]:
        """Return the nearest classes; to look for them is slow, so not for ever more names."""
        if name not in self._near and len(self._near) < _MOST_LOOKED_FOR:
            self._near[name] = difflib.get_close_matches(name, self.classes.names(), n=3)
        return self._near.get(name, [])


def _literal(value: Any) -> Any:
    """Return the value as ComfyUI wants a literal: a bare list would be taken for a link."""
    return {"__value__": value} if isinstance(value, list) else value


def _without_loose_ends(graph: Graph) -> Graph:
    """Drop the links to nodes that take no part, as those that are muted."""
    for node in graph.values():
        inputs = node["inputs"].items()
        node["inputs"] = {
            name: value
            for name, value in inputs
            if not isinstance(value, list) or value[0] in graph
        }
    return graph
