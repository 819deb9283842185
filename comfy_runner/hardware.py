"""Which workflows can do without a GPU, told by their nodes alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from comfy_runner.catalog import Catalog
from comfy_runner.graph import Graph

PLAIN = frozenset(
    {"IMAGE", "MASK", "AUDIO", "VIDEO", "STRING", "INT", "FLOAT", "BOOLEAN", "COMBO"}
)
"""The types that hold no model and nothing that only a model makes or takes."""

ANYTHING = "*"
"""What a node takes that shows or passes whatever it is given; what it gives is not known."""

CORE = ("nodes", "comfy_extras.")
"""Where ComfyUI's own nodes come from. Those of packs may load whatever they like, unseen."""


def needs_gpu(graph: Graph, catalog: Catalog) -> bool:
    """Whether the workflow may compute with a model, or does anything that is not known.

    It does not if all of its nodes are ComfyUI's own, name no model file, and take and give
    nothing but pictures, masks, sounds, videos, texts and numbers. So what samples, decodes
    latents or enlarges with a model needs one; what draws, scales, blends or cuts does not.
    """
    return not all(_is_plain(str(node.get("class_type")), catalog) for node in graph.values())


def _is_plain(name: str, catalog: Catalog) -> bool:
    info = catalog.nodes.get(name)
    signature = catalog.signature(name)
    if not isinstance(info, Mapping) or signature is None:
        return False
    if not str(info.get("python_module", "")).startswith(CORE) or info.get("api_node"):
        return False
    if any(field.folder for field in signature.fields):
        return False
    taken, given = set(_types_taken(info)), set(map(_named, info.get("output") or ()))
    return taken <= PLAIN | {ANYTHING} and given <= PLAIN


def _types_taken(info: Mapping[str, Any]) -> Iterator[str]:
    groups = info.get("input") or {}
    for group in ("required", "optional"):
        for spec in (groups.get(group) or {}).values():
            yield _named(spec[0] if isinstance(spec, list | tuple) and spec else None)


def _named(declared: object) -> str:
    """Return a type by its name; a list of choices is what newer nodes call COMBO."""
    if isinstance(declared, list | tuple):
        return "COMBO"
    return declared if isinstance(declared, str) else "unknown"
