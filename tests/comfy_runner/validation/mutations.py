"""Everything that may be wrong with a graph, or look wrong, done to valid ones at random."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.comfy_runner.validation.valid_graphs import Graph, Maker, declared

ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3.7, -0.0, 1e308, 10**30, -(10**400), "", "text", "3", " 7 "),
    *("1_000", "0x10", "1e3", "3.0", "inf", "nan", "true", "٣", "\u0000", "😀 é 猫"),
    *([], ["1"], ["1", 0, 0], [["1", 0]], [1, 2, 3], {}, {"a": 1}, {"__value__": 3}),
    *({"__value__": "4"}, {"__value__": []}, {"__value__": [1, 2]}, {"__value__": None}),
    *({"__value__": {"__value__": 1}}, {"value": 3}, "9" * 5000),
)
ODD_SLOTS: tuple[Any, ...] = (99, -1, -7, 10**30, True, False, 0.0, 1.5, "0", None, [], {})
NAMES = ("image", "seed", "zzz", "model", "text", "width", "Ünknown")


class Mutator:
    """Breaks graphs; the same for the same `random`."""

    def __init__(self, maker: Maker, chance: random.Random) -> None:
        self.maker = maker
        self.chance = chance

    def __call__(self, graph: Graph) -> str:
        """Do one thing to the graph, if it can be done; return its name."""
        mutation = self.chance.choice(MUTATIONS)
        mutation(self, graph)
        return mutation.__name__

    def _node(self, graph: Graph) -> Any:
        nodes = [node for node in graph.values() if _whole(node)]
        return self.chance.choice(nodes) if nodes else {"class_type": "", "inputs": {}}

    def _add(self, graph: Graph, name: str) -> str:
        """Add a valid node and all that it needs, apart from the rest; return its id."""
        apart: Graph = {}
        node_id = self.maker.add(apart, name)
        ids = {old: f"{len(graph)}+{old}" for old in apart}
        for old, node in apart.items():
            inputs = {key: _renamed(value, ids) for key, value in node["inputs"].items()}
            graph[ids[old]] = {**node, "inputs": inputs}
        return ids[node_id]

    def _input(self, graph: Graph, *kinds: str) -> tuple[dict[str, Any], str, list[Any]] | None:
        """Return inputs, name and declaration of an input at random, of one of those types."""
        found = []
        for node in filter(_whole, graph.values()):
            info = self.maker.nodes.get(node["class_type"])
            for group in ("required", "optional"):
                for name, spec in declared(info, group).items() if info else ():
                    kind = "list" if isinstance(spec[0], list) else str(spec[0])
                    if not kinds or kind in kinds:
                        found.append((node["inputs"], name, spec))
        return self.chance.choice(found) if found else None

    def drop_input(self, graph: Graph) -> None:
        inputs = self._node(graph)["inputs"]
        if inputs:
            del inputs[self.chance.choice(list(inputs))]

    def odd_value(self, graph: Graph) -> None:
        chosen = self._input(graph)
        if chosen:
            chosen[0][chosen[1]] = self.chance.choice(ODD_VALUES)

    def odd_number(self, graph: Graph) -> None:
        chosen = self._input(graph, "INT", "FLOAT", "BOOLEAN")
        if chosen:
            chosen[0][chosen[1]] = self.chance.choice(ODD_VALUES)

    def edge_of_range(self, graph: Graph) -> None:
        chosen = self._input(graph, "INT", "FLOAT", "FLOATS")
        if chosen:
            inputs, name, spec = chosen
            options = spec[1] if len(spec) > 1 else {}
            ends = [options[end] for end in ("min", "max") if end in options] or [0]
            shift = self.chance.choice((0, 1, -1, 0.4, -0.4, 1e-9, -1e-9))
            value = self.chance.choice(ends) + shift
            inputs[name] = self.chance.choice((value, str(value), {"__value__": value}))

    def bad_choice(self, graph: Graph) -> None:
        chosen = self._input(graph, "list", "COMBO")
        if chosen:
            inputs, name, spec = chosen
            offered = [str(each) for each in spec[0]] if isinstance(spec[0], list) else ["a"]
            near = self.chance.choice(offered or ["none"])
            odd = (near.upper(), near + "x", 1, True, 2.0, None, "", near.encode().hex(), "Euler")
            inputs[name] = self.chance.choice(odd)

    def missing_file(self, graph: Graph) -> None:
        for name, key in (("LoadImage", "image"), ("LoadVideo", "file"), ("LoadLatent", "latent")):
            if self.chance.random() < 0.5:
                node_id = str(len(graph) + 100)
                value = self.chance.choice(("nope.png", "sub/nope.png", "picture.png", 5, None))
                graph[node_id] = {"class_type": name, "inputs": {key: value}}
                _feed(graph, node_id, f"keep{node_id}")

    def link_to_nowhere(self, graph: Graph) -> None:
        chosen = self._input(graph)
        if chosen:
            node_id: Any = self.chance.choice(("999", 1, 3, None, "", "1 ", [], {}, True, 1.0))
            chosen[0][chosen[1]] = [node_id, 0]

    def link_to_odd_slot(self, graph: Graph) -> None:
        chosen = self._input(graph)
        if chosen:
            node_id = self.chance.choice(list(graph))
            chosen[0][chosen[1]] = [node_id, self.chance.choice(ODD_SLOTS)]

    def link_elsewhere(self, graph: Graph) -> None:
        """Any output into any input: mostly of the wrong type, and often a circle."""
        chosen = self._input(graph)
        if chosen:
            node_id = self.chance.choice(list(graph))
            chosen[0][chosen[1]] = [node_id, self.chance.choice((0, 0, 0, 1, 2))]

    def wrong_length(self, graph: Graph) -> None:
        chosen = self._input(graph)
        if chosen:
            whole = [self.chance.choice(list(graph)), 0, 1, 2]
            chosen[0][chosen[1]] = whole[: self.chance.choice((0, 1, 3, 4))]

    def circle(self, graph: Graph) -> None:
        ids = [f"circle {n}" for n in range(self.chance.randint(1, 4))]
        for number, node_id in enumerate(ids):
            graph[node_id] = {
                "class_type": "ImageInvert",
                "inputs": {"image": [ids[number - 1], 0]},
            }
        if self.chance.random() < 0.8:
            _feed(graph, ids[0], "from the circle")

    def circle_by_undeclared(self, graph: Graph) -> None:
        node_id = self.chance.choice(list(graph))
        if _whole(graph[node_id]):
            graph[node_id]["inputs"]["zzz"] = [node_id, 0]

    def unknown_class(self, graph: Graph) -> None:
        node = self._node(graph)
        odd: Any = ("KSamplr", "", node["class_type"].lower() + "x", "Ünknown", None, 5, [], {})
        node["class_type"] = self.chance.choice(odd)

    def undeclared_input(self, graph: Graph) -> None:
        inputs = self._node(graph)["inputs"]
        odd: Any = (1, "x", None, [1, 2, 3], [], ["999", 0], [self.chance.choice(list(graph)), 0])
        inputs.setdefault(self.chance.choice(NAMES), self.chance.choice(odd))

    def garbage(self, graph: Graph) -> None:
        """Nodes that no output needs, wrong in any way."""
        name = self.chance.choice(self.maker.usable)
        if not self.maker.nodes[name]["output_node"]:
            inputs = self.chance.choice(({}, {"model": ["999", 0]}, {"zzz": 5, "image": [1]}))
            graph[f"garbage {len(graph)}"] = {"class_type": name, "inputs": dict(inputs)}

    def no_outputs(self, graph: Graph) -> None:
        for node_id, node in list(graph.items()):
            info = self.maker.nodes.get(node["class_type"]) if _whole(node) else None
            if info and info["output_node"] and len(graph) > 1:
                del graph[node_id]

    def broken_output_beside(self, graph: Graph) -> None:
        node_id = self._add(graph, self.chance.choice(self.maker.outputs))
        inputs = graph[node_id]["inputs"]
        for name in list(inputs)[:1]:
            inputs[name] = self.chance.choice((None, [], ["999", 0], {}))

    def odd_node(self, graph: Graph) -> None:
        node_id = self.chance.choice(list(graph))
        node = graph[node_id]
        whole = _whole(node)
        odd: tuple[Any, ...] = (None, [], "text", 5, {}, {"inputs": {}})
        odd = (*odd, {"class_type": node["class_type"]}) if whole else odd
        graph[node_id] = self.chance.choice(odd)

    def odd_inputs(self, graph: Graph) -> None:
        self._node(graph)["inputs"] = self.chance.choice((None, [], "text", 5))

    def kinds_of_value(self, graph: Graph) -> None:
        node_id = self._add(graph, "KindsOfValue")
        specs = declared(self.maker.nodes["KindsOfValue"], "optional")
        for name in self.chance.sample(list(specs), 3):
            literal = self.maker.literal(specs[name])
            odd = self.chance.choice(ODD_VALUES)
            graph[node_id]["inputs"][name] = literal if self.chance.random() < 0.4 else odd

    def kinds_of_link(self, graph: Graph) -> None:
        name = self.chance.choice(("KindsOfLink", "KindsOfValue", "ChecksTypes", "PreviewAny"))
        info = self.maker.nodes[name]
        node_id = self._add(graph, name)
        specs = {**declared(info, "required"), **declared(info, "optional")}
        source = self.chance.choice(
            ("KindsOfLink", "KindsOfValue", "EndlessOutputs", "EmptyImage")
        )
        given = self._add(graph, source)
        for name in self.chance.sample(list(specs), min(2, len(specs))):
            graph[node_id]["inputs"][name] = [given, self.chance.randint(0, 5)]

    def own_checks(self, graph: Graph) -> None:
        name = self.chance.choice(("ChecksAll", "ChecksTypes"))
        node_id = self._add(graph, name)
        inputs = graph[node_id]["inputs"]
        for key in inputs:
            if not isinstance(inputs[key], list) and self.chance.random() < 0.7:
                inputs[key] = self.chance.choice((77, "77", -5, "zzz", None))


def _renamed(value: Any, ids: dict[str, str]) -> Any:
    return [ids[value[0]], value[1]] if isinstance(value, list) else value


def _whole(node: Any) -> bool:
    if not isinstance(node, dict) or not isinstance(node.get("class_type"), str):
        return False
    return isinstance(node.get("inputs"), dict)


def _feed(graph: Graph, source: str, node_id: str) -> None:
    graph[node_id] = {"class_type": "PreviewImage", "inputs": {"images": [source, 0]}}


_ALL = tuple(
    method
    for name, method in vars(Mutator).items()
    if not name.startswith("_") and callable(method)
)
_OFTEN = (Mutator.edge_of_range, Mutator.bad_choice, Mutator.kinds_of_value, Mutator.missing_file)
MUTATIONS: tuple[Callable[[Mutator, Graph], None], ...] = (*_ALL, *_OFTEN, *_OFTEN)
