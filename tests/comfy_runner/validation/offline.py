"""Workflows that are judged by the recorded catalogue alone."""

from __future__ import annotations

from typing import Any

from comfy_runner.catalog import Catalog
from comfy_runner.errors import InvalidWorkflow
from comfy_runner.validation import validate
from tests.comfy_runner.runs import node
from tests.comfy_runner.validation.recorded import recorded

CATALOG = recorded()

Graph = dict[str, Any]


def picture(**inputs: Any) -> dict[str, Any]:
    return node("EmptyImage", **{"width": 8, "height": 8, "batch_size": 1, "color": 0, **inputs})


def shown(source: Any = ("1", 0)) -> dict[str, Any]:
    return node("PreviewImage", images=list(source))


def values(**inputs: Any) -> Graph:
    return {"1": node("KindsOfValue", **inputs)}


def told(
    graph: object, catalog: Catalog = CATALOG, *, media: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    """Return pointers and messages of what is wrong; none if it is accepted."""
    try:
        validate(graph, catalog, media=media)
    except InvalidWorkflow as error:
        return [(each.pointer, each.message) for each in error.problems]
    return []


def message(graph: object, catalog: Catalog = CATALOG) -> str:
    (found,) = told(graph, catalog)
    return found[1]
