"""Progress of one prompt: events in, one complete snapshot out, never going back."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from comfy_runner.events import (
    Cached,
    Event,
    Executed,
    Executing,
    Failed,
    NodeInterrupted,
    NodeProgress,
    Picture,
    ProgressState,
    Started,
    Status,
    Succeeded,
)
from comfy_runner.graph import Graph, dependencies

_HEAVY = re.compile("Sampler|Upscale|VAEDecode|Loader|Video")
"""Class types that usually take most of a run."""

_ALMOST = 0.99
"""The most that a node still running, or a prompt not yet successful, counts for."""


@dataclass(frozen=True)
class Snapshot:
    """Where a run stands: `progress` in percent, 100 only once the prompt succeeded.

    `current_step` of `total_steps` is the current node's own bar, when it has one.
    Cached nodes count as done.
    """

    progress: int = 0
    current_node: str | None = None
    current_step: int | None = None
    total_steps: int | None = None
    nodes_done: int = 0
    nodes_total: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the snapshot as a JSON object."""
        return asdict(self)


class Progress:
    """Follows one prompt through its events, in whatever order and number they come.

    Nodes that ComfyUI makes while it runs (`3.0.0.4`) count towards the node of the
    graph they came from. Give `prompt_id` to ignore the events of other prompts, and
    `outputs` (ids of the output nodes) where they are known: otherwise every node that
    feeds no other is taken for one.
    """

    def __init__(
        self, graph: Graph, *, prompt_id: str | None = None, outputs: Collection[str] = ()
    ) -> None:
        self._prompt_id = prompt_id
        self._weights = {
            node_id: 10.0 if _HEAVY.search(str(graph[node_id].get("class_type"))) else 1.0
            for node_id in _needed(graph, outputs)
        }
        self._graph = frozenset(graph)
        self._origins: dict[str, str] = {}
        self._cached: set[str] = set()
        self._done: set[str] = set()
        self._fractions: dict[str, float] = {}
        self._children: dict[str, dict[str, float]] = {}
        self._bars: dict[str, tuple[float, float]] = {}
        self._executing: str | None = None
        self._states_seen = False
        self._ended = False
        self._snapshot = Snapshot(nodes_total=len(self._weights))

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot."""
        return self._snapshot

    def feed(self, event: Event) -> Snapshot | None:
        """Take one event in; return the new snapshot, or None when nothing changed."""
        if self._ended or not self._concerns(event):
            return None
        before = self._snapshot
        self._take(event)
        self._snapshot = self._succeeded() if isinstance(event, Succeeded) else self._measure()
        return self._snapshot if self._snapshot != before else None

    def _concerns(self, event: Event) -> bool:
        if isinstance(event, Status | Picture):
            return False
        return self._prompt_id is None or event.prompt_id in (None, self._prompt_id)

    def _take(self, event: Event) -> None:
        match event:
            case Cached():
                self._cached.update(node for node in event.nodes if node in self._weights)
            case Executing():
                self._take_executing(event)
            case NodeProgress():
                self._take_bar(event.node, event.value, event.maximum)
            case ProgressState():
                self._take_states(event)
            case Executed():
                self._finish(event.node, self._real(event.node))
            case Failed() | NodeInterrupted():
                self._take_end(event)
            case Succeeded():
                self._ended = True
            case Started() | Status() | Picture():
                pass

    def _take_executing(self, event: Executing) -> None:
        """Begin a node; without states (before mid-2025) this also ends the one before."""
        now = self._real(event.node, event.display_node)
        if event.node is None or now is None:
            return
        previous, self._executing = self._executing, event.node
        if self._states_seen or previous in (None, event.node):
            return
        before = self._real(previous)
        if before != now:
            self._finish(before, before)
        elif previous != before:
            self._finish(previous, before)

    def _take_states(self, event: ProgressState) -> None:
        self._states_seen = True
        running = []
        for node_id, state in event.nodes.items():
            real = self._real(node_id, state.real_node_id)
            if real is None:
                continue
            if state.state == "finished":
                self._finish(node_id, real)
            elif state.state == "running":
                running.append(node_id)
                self._take_bar(node_id, state.value, state.maximum)
        if running and self._executing not in running:
            self._executing = running[-1]

    def _take_bar(self, node_id: str, value: float, maximum: float) -> None:
        """Note a node's bar at its furthest: bars restart for tiles and second passes."""
        real = self._real(node_id)
        if real is None or self._bars.get(node_id) == (value, maximum):
            return
        self._bars[node_id] = (value, maximum)
        if value > 0:
            self._executing = node_id
        self._advance(node_id, real, min(_ALMOST, _share(value, maximum)))

    def _take_end(self, event: Failed | NodeInterrupted) -> None:
        if isinstance(event, Failed) and not event.terminal:
            return
        self._ended = True
        if self._real(event.node_id) is not None:
            self._executing = event.node_id

    def _finish(self, node_id: str | None, real: str | None) -> None:
        if node_id is None or real is None:
            return
        self._advance(node_id, real, 1.0)
        self._done.add(node_id)

    def _advance(self, node_id: str, real: str, fraction: float) -> None:
        fractions = self._fractions if node_id == real else self._children.setdefault(real, {})
        fractions[node_id] = max(fraction, fractions.get(node_id, 0.0))

    def _real(self, node_id: str | None, origin: str | None = None) -> str | None:
        """Return the graph's own node behind an id; None when there is none."""
        if node_id is None or node_id in self._graph:
            return node_id
        if origin in self._graph:
            self._origins[node_id] = origin
        if node_id in self._origins:
            return self._origins[node_id]
        ancestors = accumulate(node_id.split("."), "{}.{}".format)
        return next((node for node in reversed([*ancestors]) if node in self._graph), None)

    def _fraction(self, node_id: str) -> float:
        own = self._fractions.get(node_id, 0.0)
        made = sum(self._children.get(node_id, {}).values())
        # How many nodes an expansion will make is unknown: each takes a tenth of what is left.
        return max(own, _ALMOST * (1 - 0.9**made))

    def _measure(self) -> Snapshot:
        waiting = {node: w for node, w in self._weights.items() if node not in self._cached}
        total = sum(waiting.values())
        done = sum(weight * self._fraction(node) for node, weight in waiting.items())
        overall = done / total if total else 1.0
        percent = int(100 * min(_ALMOST, overall) + 1e-6)
        return self._look(percent)

    def _look(self, percent: int) -> Snapshot:
        value, maximum = self._bars.get(self._executing or "", (0.0, 0.0))
        steps = maximum > 1
        return Snapshot(
            progress=max(percent, self._snapshot.progress),
            current_node=self._real(self._executing),
            current_step=int(max(0.0, min(value, maximum))) if steps else None,
            total_steps=int(maximum) if steps else None,
            nodes_done=len((self._done | self._cached) & self._weights.keys()),
            nodes_total=len(self._weights),
        )

    def _succeeded(self) -> Snapshot:
        total = len(self._weights)
        return Snapshot(progress=100, nodes_done=total, nodes_total=total)


def _needed(graph: Graph, outputs: Collection[str]) -> frozenset[str]:
    """Return the output nodes and everything they depend on."""
    links = dependencies(graph)
    used = frozenset().union(*links.values())
    known = [node for node in outputs if node in graph]
    waiting = known or [node for node in graph if node not in used] or list(graph)
    needed: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting.extend(links[node])
    return frozenset(needed)


def _share(value: float, maximum: float) -> float:
    """Return how much of a bar is filled, 0 to 1, whatever its numbers are."""
    return max(0.0, min(1.0, value / maximum)) if maximum > 0 else 0.0
