"""Events fed to a Progress: recorded or made, and what is promised of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from comfy_runner.events import Event, NodeState, ProgressState
from comfy_runner.graph import Graph
from comfy_runner.progress import Progress, Snapshot
from tests.comfy_runner import recordings

CHAIN: Graph = {
    "1": {"class_type": "EmptyImage", "inputs": {}},
    "2": {"class_type": "KSampler", "inputs": {"image": ["1", 0]}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0]}},
}


def replay(name: str) -> list[Snapshot]:
    progress = Progress(recordings.graph(name), prompt_id=recordings.prompt_id(name))
    return feed(progress, recordings.events(name))


def feed(progress: Progress, events: Iterable[Event]) -> list[Snapshot]:
    snapshots = [progress.feed(event) for event in events]
    return [snapshot for snapshot in snapshots if snapshot is not None]


def states(**nodes: tuple[float, float, str]) -> ProgressState:
    """Return the states of nodes `n1`, `n3_0_4` and so on; the part after n is the id."""
    ids = {name.removeprefix("n").replace("_", "."): state for name, state in nodes.items()}
    return ProgressState("p", {i: NodeState(*state, i.split(".")[0]) for i, state in ids.items()})


def complain(snapshots: list[Snapshot]) -> str | None:
    """Say which promise the snapshots break, if any."""
    for before, after in pairwise(snapshots):
        if after.progress < before.progress or after.nodes_done < before.nodes_done:
            return f"went back: {before} -> {after}"
        if after == before:
            return f"said twice: {after}"
    for each in snapshots:
        if not 0 <= each.progress <= 100 or each.nodes_done > each.nodes_total:
            return f"out of range: {each}"
        if (each.current_step is None) != (each.total_steps is None):
            return f"half a bar: {each}"
        if each.total_steps is not None and not 0 <= (each.current_step or 0) <= each.total_steps:
            return f"beyond its bar: {each}"
    return None
