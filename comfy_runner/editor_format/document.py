"""A workflow as the editor saves it, read into plain records without trusting any of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from comfy_runner.errors import Problem

MUTED = 2
BYPASSED = 4
INNER_SIDE = "-10"
"""The node id that a link has for its origin when it comes into a subgraph from outside."""

_RENAMED = {
    "T2IAdapterLoader": "ControlNetLoader",
    "ConditioningAverage ": "ConditioningAverage",
    "SDV_img2vid_Conditioning": "SVD_img2vid_Conditioning",
    "Load3DAnimation": "Load3D",
    "Preview3DAnimation": "Preview3D",
}


@dataclass(frozen=True)
class Slot:
    """An input of a node; `widget` is the name of the widget that it stands for, if any."""

    name: str
    type: str
    link: str | None = None
    widget: str | None = None


@dataclass(frozen=True)
class Link:
    """A line of the drawing; it is the input it leads to that says so, not the link."""

    origin: str
    slot: int


@dataclass(frozen=True, eq=False)
class Node:
    """A box of the drawing; `values` are those of its widgets, by position or by name."""

    id: str
    type: str
    title: str
    mode: int
    pointer: str
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[str, ...] = ()
    fan: tuple[str, ...] = ()
    """The ids of the links that leave the first output, in order."""
    values: tuple[Any, ...] | Mapping[str, Any] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The node as a person finds it again: id, class and, where it has one, title."""
        title = f", {self.title!r:.80}" if self.title and self.title != self.type else ""
        return f"node {self.id:.80} ({self.type:.80}{title})"


@dataclass(frozen=True)
class Port:
    """An input or output of a subgraph; `links` are the ids of the lines inside of it."""

    name: str
    type: str
    links: tuple[str, ...]


@dataclass(frozen=True)
class Drawing:
    """The nodes and links of the workflow itself, or of one subgraph with its ports."""

    id: str = ""
    nodes: Mapping[str, Node] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    ends: Mapping[str, tuple[Node, Slot]] = field(default_factory=dict)
    """Where every link leads: the node and the input that name it."""


class Findings:
    """All that was found wrong so far, each thing once, in order."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}

    def add(self, pointer: str, message: str) -> None:
        """Note one more problem."""
        self._problems.setdefault(Problem(pointer, message))

    def problems(self) -> tuple[Problem, ...]:
        """Return them all."""
        return tuple(self._problems)


def read(workflow: Mapping[str, Any], findings: Findings) -> tuple[Drawing, Mapping[str, Drawing]]:
    """Return the drawing and its subgraphs by id; what cannot be read becomes a finding."""
    root = _drawing(workflow, "", findings)
    subgraphs: dict[str, Drawing] = {}
    definitions = _dict(workflow.get("definitions")).get("subgraphs")
    for pointer, item in _items(definitions, "/definitions/subgraphs", findings):
        name = item.get("id")
        if isinstance(name, str) and name and name not in subgraphs:
            subgraphs[name] = _drawing(item, pointer, findings)
        else:
            findings.add(f"{pointer}/id", "a subgraph needs an id of its own, a text")
    return root, subgraphs


def _drawing(raw: Mapping[str, Any], pointer: str, findings: Findings) -> Drawing:
    nodes: dict[str, Node] = {}
    for place, item in _items(raw.get("nodes"), f"{pointer}/nodes", findings):
        node = _node(item, place, findings)
        if node is not None and node.id in nodes:
            findings.add(f"{place}/id", f"{node.label}: a node before it has the same id")
        elif node is not None:
            nodes[node.id] = node
    return Drawing(
        id=str(raw.get("id") or ""),
        nodes=nodes,
        links=dict(_links(raw.get("links"), f"{pointer}/links", findings)),
        inputs=tuple(_ports(raw.get("inputs"))) if pointer else (),
        outputs=tuple(_ports(raw.get("outputs"))) if pointer else (),
    )


def _node(raw: Mapping[str, Any], pointer: str, findings: Findings) -> Node | None:
    node_id, kind = _id(raw.get("id")), raw.get("type")
    if node_id is None:
        findings.add(f"{pointer}/id", "a node needs an id, a whole number or a text")
    elif not isinstance(kind, str) or not kind:
        findings.add(f"{pointer}/type", f"node {node_id} needs a type, the name of its class")
    else:
        title, mode, values = raw.get("title"), raw.get("mode"), raw.get("widgets_values")
        return Node(
            id=node_id,
            type=_RENAMED.get(kind, kind),
            title=title if isinstance(title, str) else "",
            mode=mode if isinstance(mode, int) else 0,
            pointer=pointer,
            inputs=tuple(_slots(raw.get("inputs"))),
            outputs=tuple(_type(item.get("type")) for item in _dicts(raw.get("outputs"))),
            fan=next((_ids(item.get("links")) for item in _dicts(raw.get("outputs"))), ()),
            values=values if isinstance(values, dict) else tuple(_list(values)),
            properties=_dict(raw.get("properties")),
        )
    return None


def _slots(raw: object) -> Iterator[Slot]:
    for item in _dicts(raw):
        name, widget = item.get("name"), _dict(item.get("widget")).get("name")
        yield Slot(
            name=name if isinstance(name, str) else "",
            type=_type(item.get("type")),
            link=_id(item.get("link")),
            widget=widget if isinstance(widget, str) else None,
        )


def _ports(raw: object) -> Iterator[Port]:
    for item in _dicts(raw):
        name = item.get("name")
        links = _ids(item.get("linkIds"))
        yield Port(name if isinstance(name, str) else "", _type(item.get("type")), links)


def _links(raw: object, pointer: str, findings: Findings) -> Iterator[tuple[str, Link]]:
    """Yield links in either form: `[id, origin, slot, target, slot, type]`, or an object."""
    for index, item in enumerate(_list(raw)):
        values: list[Any] = []
        if isinstance(item, list):
            values = item[:3]
        elif isinstance(item, dict):
            values = [item.get(key) for key in ("id", "origin_id", "origin_slot")]
        link, origin, slot = values if len(values) == 3 else (None, None, None)
        link, origin = _id(link), _id(origin)
        if item is None:
            continue
        if link is None or origin is None or type(slot) is not int or slot < 0:
            findings.add(f"{pointer}/{index}", "a link is [id, node, slot, node, slot, type]")
        else:
            yield link, Link(origin, slot)


def _items(
    raw: object, pointer: str, findings: Findings
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the objects in a list, each with the pointer to it."""
    if raw is not None and not isinstance(raw, list):
        findings.add(pointer, "this has to be a list")
    for index, item in enumerate(_list(raw)):
        if isinstance(item, dict):
            yield f"{pointer}/{index}", item
        else:
            findings.add(f"{pointer}/{index}", "this has to be an object")


def _id(value: object) -> str | None:
    """Return an id as the API format writes it; the editor has both numbers and texts."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _ids(value: object) -> tuple[str, ...]:
    return tuple(link for link in map(_id, _list(value)) if link is not None)


def _type(value: object) -> str:
    """Return the type of a slot; 0, nothing and the empty text stand for any type."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value) if value and not isinstance(value, dict) else "*"


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> Iterator[Mapping[str, Any]]:
    return (item if isinstance(item, dict) else {} for item in _list(value))
