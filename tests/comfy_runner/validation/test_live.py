"""What our companion and the catalogue tell of the real ComfyUI, and what it dies of."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from comfy_runner.catalog import Catalog
from comfy_runner.client import ComfyClient
from comfy_runner.server import ComfyServer
from tests.comfy_runner.runs import node
from tests.comfy_runner.validation.offline import picture, shown, told
from tests.comfy_runner.validation.recorded import recorded, some_of
from tests.waiting import eventually

pytestmark = pytest.mark.live

DEADLY: dict[str, Any] = {
    "a link to no node by an input that the class does not declare": {
        "1": picture(),
        "2": node("PreviewImage", images=["1", 0], zzz=["77", 0]),
    },
    "a value in the shape of a link, unwrapped": {
        "1": node("PreviewAny", source={"__value__": ["77", 0]}),
    },
    "a node that nobody needs, without inputs": {
        "1": picture(),
        "2": shown(),
        "3": {"class_type": "EmptyImage"},
    },
    "inputs that are no object": {"1": {"class_type": "KindsOfValue", "inputs": []}},
}


def test_the_companion_tells_what_runs_and_that_it_is_alive(server: ComfyServer) -> None:
    prompt_id = str(uuid.uuid4())
    graph = {"1": node("StepNode", steps=1000, seconds=0.02), "2": shown()}
    with ComfyClient(server.url) as client:
        assert client.companion("state") == {"worker_alive": True, "running": []}
        client.submit(graph, client_id="me", prompt_id=prompt_id)
        running = {"worker_alive": True, "running": [prompt_id]}
        eventually(lambda: client.companion("state") == running)
        client.interrupt(prompt_id)
        eventually(lambda: client.companion("state") == {"worker_alive": True, "running": []})


def test_the_recorded_catalogue_is_that_of_this_comfyui(live_catalog: Catalog) -> None:
    if live_catalog.comfyui_version != recorded().comfyui_version:
        pytest.skip(f"this is ComfyUI {live_catalog.comfyui_version}")
    live, kept = some_of(live_catalog), recorded()

    assert live.typing == kept.typing
    assert live.validators == kept.validators
    assert live.nodes["KSampler"] == kept.nodes["KSampler"]
    assert {name: info["output"] for name, info in live.nodes.items()} == {
        name: info["output"] for name, info in kept.nodes.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("why", DEADLY)
def test_what_we_refuse_though_comfyui_accepts_it_kills_what_runs_its_prompts(
    server: ComfyServer, why: str
) -> None:
    graph = DEADLY[why]
    assert told(graph) != []
    try:
        with ComfyClient(server.url) as client:
            client.submit(graph, client_id="me", prompt_id=str(uuid.uuid4()))
            eventually(lambda: not (client.companion("state") or {})["worker_alive"])
    finally:
        server.kill()
