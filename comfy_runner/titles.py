"""Nodes by their ids, or by the titles that people give them in ComfyUI's editor."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from comfy_runner.near import near

MARK = "@"
"""What a title begins with where an id could stand, too."""


class NoSuchNode(LookupError):
    """No node is meant, or more than one; the message says what there is."""


class Nodes:
    """The nodes of one graph, as its clients name them."""

    def __init__(self, graph: Mapping[str, Any]) -> None:
        self._graph = graph

    def find(self, name: str) -> str:
        """Return the id of the node that `name` means: an id, or `@` and a title.

        An id wins. A title is compared as it stands, and must be that of one node only.

        Raises:
            NoSuchNode: There is none, with near matches, or there are several.
        """
        if name in self._graph:
            return name
        if not name.startswith(MARK):
            raise NoSuchNode(f"the workflow has no node {name!r}{near(name, self._graph)}")
        found = self._by_title.get(name, [])
        if len(found) > 1:
            ids = ", ".join(map(repr, found[:10]))
            raise NoSuchNode(f"{len(found)} nodes have the title {name[1:]!r}: use an id, {ids}")
        if not found:
            hint = near(name, self._by_title)
            raise NoSuchNode(f"the workflow has no node with the title {name[1:]!r}{hint}")
        return found[0]

    @cached_property
    def _by_title(self) -> dict[str, list[str]]:
        ids: dict[str, list[str]] = {}
        for node_id, node in self._graph.items():
            meta = node.get("_meta") if isinstance(node, dict) else None
            title = meta.get("title") if isinstance(meta, dict) else None
            if isinstance(title, str):
                ids.setdefault(MARK + title, []).append(node_id)
        return ids
