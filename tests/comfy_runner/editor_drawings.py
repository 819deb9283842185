"""Small workflows of the editor, written out for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from comfy_runner import editor_format
from comfy_runner.editor_format import NodeCatalog
from comfy_runner.errors import InvalidWorkflow, Problem
from comfy_runner.graph import Graph

Json = dict[str, Any]

SAMPLER = {
    "input": {
        "required": {
            "model": ["MODEL"],
            "seed": ["INT", {"default": 0}],
            "cfg": ["FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1}],
            "name": [["euler", "ddim"], {}],
            "tiled": ["BOOLEAN", {"default": False}],
        },
        "optional": {"text": ["STRING", {"multiline": True, "dynamicPrompts": True}]},
    },
    "output": ["MODEL", "STRING"],
    "display_name": "A Sampler",
}
SAVE = {
    "input": {"required": {"images": ["*"], "filename_prefix": ["STRING", {"default": "C"}]}},
    "output": [],
}
VIDEO = {
    "input": {"required": {"rate": ["FLOAT", {"default": 8}], "format": [["gif", "mp4"]]}},
    "output": [],
}


@dataclass(frozen=True)
class Classes:
    """A catalogue with the few node classes of these tests."""

    nodes: Json = field(
        default_factory=lambda: {
            "Sampler": SAMPLER,
            "SaveImage": SAVE,
            "Video": VIDEO,
            "Webcam": {"input": {"required": {"image": ["WEBCAM", {}]}}, "output": ["IMAGE"]},
        }
    )


def node(node_id: Any, kind: str, *inputs: Json, **rest: Any) -> Json:
    """Return a node; the rest are fields of it, such as `widgets_values`."""
    return {"id": node_id, "type": kind, "inputs": list(inputs), "outputs": [], **rest}


def linked(name: str, link: Any, *, kind: str = "*", widget: bool = False) -> Json:
    """Return an input that a link leads to."""
    slot: Json = {"name": name, "type": kind, "link": link}
    return {**slot, "widget": {"name": name}} if widget else slot


def workflow(nodes: Sequence[Any], links: Sequence[Any] = (), *subgraphs: Any) -> Json:
    """Return a workflow as the editor saves it."""
    drawing = {"nodes": list(nodes), "links": list(links), "version": 0.4}
    return {**drawing, "definitions": {"subgraphs": list(subgraphs)}} if subgraphs else drawing


def subgraph(name: str, nodes: Sequence[Any], links: Sequence[Any] = (), **ports: Any) -> Json:
    """Return the definition of a subgraph, with `inputs` and `outputs` as its ports."""
    return {"id": name, "name": name, "nodes": list(nodes), "links": list(links), **ports}


def port(name: str, *links: int, kind: str = "*") -> Json:
    """Return an input or output of a subgraph, with the links inside of it."""
    return {"name": name, "type": kind, "linkIds": list(links)}


def convert(drawing: Json, *, catalog: NodeCatalog | None = None, **options: Any) -> Graph:
    """Return the workflow in the API format, with the first option of every choice."""
    options.setdefault("choose", lambda texts: texts[0])
    return editor_format.convert(drawing, catalog or Classes(), **options)


def refused(drawing: Json) -> list[Problem]:
    """Return the problems with which a workflow is refused."""
    with pytest.raises(InvalidWorkflow) as caught:
        convert(drawing)
    assert caught.value.problems
    assert "Workflow > Export (API)" in caught.value.message
    return list(caught.value.problems)
