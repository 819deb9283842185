"""Graphs that ComfyUI accepts, made at random out of any catalogue."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from comfy_runner.catalog import Catalog

Graph = dict[str, Any]

WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN")
WORDS = ("a cat", "", "Zürich ☃", "猫", "x" * 50, "3", "./x", "a/b.png", "%year%")
LEFT_OUT = {"LoadImageOutput", "LoadVideo", "WebcamCapture"}
"""There are no files for them."""

HARMFUL = "custom_nodes.job_service_test_nodes"
"""The pack whose nodes sleep, and die of it."""

IMPOSSIBLE = 10**6
MOST_NODES = 12


class Maker:
    """Makes graphs out of the classes of a catalogue; the same for the same `random`."""

    def __init__(self, catalog: Catalog, chance: random.Random) -> None:
        self.chance = chance
        self.nodes = catalog.nodes
        self._unfinished: list[str] = []
        self._depths = self._all_depths()
        self.usable = sorted(filter(self._is_usable, self.nodes))
        self.outputs = [name for name in self.usable if self.nodes[name]["output_node"]]
        self._givers: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for name in self.usable:
            for slot, given in enumerate(self.nodes[name]["output"]):
                if isinstance(given, str):
                    self._givers[given].append((name, slot))

    def _is_usable(self, name: str) -> bool:
        if name in LEFT_OUT or self.nodes[name]["python_module"] == HARMFUL:
            return False
        return self._depths[name] < IMPOSSIBLE

    def graph(self) -> Graph:
        """Return a graph with one to three outputs and all that they need."""
        graph: Graph = {}
        for _ in range(self.chance.choice((1, 1, 1, 2, 3))):
            self.add(graph, self.chance.choice(self.outputs))
        return graph

    def add(self, graph: Graph, name: str) -> str:
        """Add a node of that class with valid inputs; return its id."""
        node_id = str(len(graph) + 1)
        while node_id in graph:
            node_id += "a"
        graph[node_id] = {"class_type": name, "inputs": {}}
        inputs = graph[node_id]["inputs"]
        self._unfinished.append(node_id)
        for key, spec in declared(self.nodes[name], "required").items():
            inputs[key] = self.value(graph, spec)
        for key, spec in declared(self.nodes[name], "optional").items():
            if self.chance.random() < 0.3 and self._depth_of(spec) < 3:
                inputs[key] = self.value(graph, spec)
        self._unfinished.remove(node_id)
        return node_id

    def value(self, graph: Graph, spec: list[Any]) -> Any:
        """Return a valid literal, or a link to a node that needs none of the unfinished ones."""
        literal = self.literal(spec)
        return self.link(graph, spec[0]) if literal is None else literal

    def literal(self, spec: list[Any]) -> Any:
        """Return a valid literal; None if the input only takes links."""
        options = spec[1] if len(spec) > 1 else {}
        if isinstance(spec[0], list):
            return self.chance.choice(spec[0]) if spec[0] else None
        if spec[0] == "COMBO":
            return self.chance.choice(options.get("options") or ["anything"])
        low, high = options.get("min", -1000), options.get("max", 1000)
        if spec[0] == "INT":
            return self.chance.randint(int(low), int(high))
        if spec[0] == "FLOAT":
            value = round(self.chance.uniform(max(low, -1e6), min(high, 1e6)), 3)
            return max(low, min(high, value))
        if spec[0] == "STRING":
            return self.chance.choice(WORDS)
        return self.chance.random() < 0.5 if spec[0] == "BOOLEAN" else None

    def link(self, graph: Graph, wanted: str) -> list[Any]:
        """Return a link to an output of that type, of a node in the graph or a new one."""
        there = [
            [node_id, slot]
            for node_id, node in graph.items()
            for slot, given in enumerate(self.nodes[node["class_type"]]["output"])
            if given == wanted and node_id not in self._unfinished
        ]
        if there and self.chance.random() < 0.6:
            return self.chance.choice(there)
        givers = self._givers[wanted] or self._givers["IMAGE"]
        deepest = 2 if len(graph) < MOST_NODES else 0
        least = min(self._depths[name] for name, _ in givers)
        name, slot = self.chance.choice(
            [each for each in givers if self._depths[each[0]] <= max(least, deepest)]
        )
        return [self.add(graph, name), slot]

    def _all_depths(self) -> dict[str, int]:
        """Return how many links deep each class needs others, `IMPOSSIBLE` if it cannot be fed."""
        self._depths = dict.fromkeys(self.nodes, IMPOSSIBLE)
        for _ in range(10):
            self._by_type: dict[str, int] = defaultdict(lambda: IMPOSSIBLE)
            for name, info in self.nodes.items():
                for given in info["output"]:
                    if isinstance(given, str):
                        self._by_type[given] = min(self._by_type[given], self._depths[name])
            for name, info in self.nodes.items():
                specs = declared(info, "required").values()
                self._depths[name] = max((self._depth_of(spec) for spec in specs), default=0)
        return self._depths

    def _depth_of(self, spec: list[Any]) -> int:
        if isinstance(spec[0], list):
            return 0 if spec[0] else IMPOSSIBLE
        if spec[0] in WIDGETS or spec[0] == "COMBO":
            return 0
        if spec[0] == "*":
            return 1
        return min(IMPOSSIBLE, 1 + self._by_type[spec[0]])


def declared(info: Any, group: str) -> dict[str, Any]:
    """Return the inputs of one group that a class declares."""
    found: dict[str, Any] = info["input"].get(group) or {}
    return found
