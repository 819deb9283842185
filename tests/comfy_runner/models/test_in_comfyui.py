"""Models that were pulled, in a real ComfyUI."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfy_runner.client import ComfyClient
from comfy_runner.installation import Installation
from comfy_runner.models import pull
from comfy_runner.server import ComfyServer
from tests.comfy_runner.models.entries import access, in_repo
from tests.comfy_runner.models.hub import Hub
from tests.waiting import eventually


@pytest.mark.live
@pytest.mark.slow
def test_comfyui_has_what_was_pulled_before_its_start_and_since(
    installation: Installation, hub: Hub, tmp_path: Path
) -> None:
    place = tmp_path / "models"
    first = in_repo()
    second = in_repo("split/vae.safetensors", folder="loras/own")
    pull([first], place, access=access(hub.url))
    server = ComfyServer(installation, tmp_path / "home", models_dir=place)
    server.start()
    try:
        server.wait_ready()
        with ComfyClient(server.url) as client:
            assert {"model.safetensors", "tiny_sd3.ckpt"} <= set(client.models("checkpoints"))
            assert ".pull" not in client.model_folders()
            pull([first, second], place, access=access(hub.url))
            eventually(lambda: "own/vae.safetensors" in client.models("loras"))
    finally:
        server.stop()
