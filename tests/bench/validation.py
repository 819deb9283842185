"""How long a workflow of a hundred nodes is looked at, here and by ComfyUI itself."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import settings
from comfy_runner.catalog import Catalog, capture
from comfy_runner.client import ComfyClient
from comfy_runner.installation import find
from comfy_runner.server import ComfyServer
from comfy_runner.validation import validate
from tests.comfy_runner.conftest import NODES as NODE_PACKS
from tests.comfy_runner.validation.live_answers import Asker
from tests.comfy_runner.validation.valid_graphs import Graph, Maker

NODES = 100
ROUNDS = 50


@dataclass(frozen=True)
class Validation:
    """Median milliseconds of one look, and the first one with a new catalogue."""

    ours: float
    first: float
    comfyui: float


def measure(place: Path) -> Validation:
    """Look at the same valid graph in turn, with what a real ComfyUI has told."""
    configured = settings.load(None)
    installed = find(comfyui_dir=configured.comfyui_dir, comfyui_python=configured.comfyui_python)
    packs = place / "packs.yaml"
    packs.write_text(json.dumps({"test": {"custom_nodes": str(NODE_PACKS)}}))
    arguments = ("--extra-model-paths-config", str(packs))
    server = ComfyServer(installed, place / "validation", arguments=arguments)
    server.start()
    try:
        server.wait_ready()
        with ComfyClient(server.url) as client:
            catalog = capture(client)
        return _compared(catalog, Asker(server.url))
    finally:
        server.stop()


def _compared(catalog: Catalog, asker: Asker) -> Validation:
    graph = _graph(catalog)
    first = _milliseconds(lambda: validate(graph, catalog))
    ours = [_milliseconds(lambda: validate(graph, catalog)) for _ in range(ROUNDS)]
    theirs = asker.times(graph, ROUNDS)
    asker.close()
    return Validation(statistics.median(ours), first, statistics.median(theirs))


def _graph(catalog: Catalog) -> Graph:
    maker = Maker(catalog, random.Random(1))
    graph: Graph = {}
    while len(graph) < NODES:
        maker.add(graph, maker.chance.choice(maker.outputs))
    return graph


def _milliseconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return (time.perf_counter() - began) * 1000
