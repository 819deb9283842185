"""The catalogue of the real ComfyUI, told by itself and by our companion in it."""

from __future__ import annotations

import pytest

from comfy_runner.catalog import Catalog, capture
from comfy_runner.client import ComfyClient
from comfy_runner.server import ComfyServer

PICTURE = "picture.png"


@pytest.fixture
def live_catalog(server: ComfyServer) -> Catalog:
    """The catalogue, with one file to load."""
    (server.input_directory / PICTURE).write_bytes(b"never looked into")
    with ComfyClient(server.url) as client:
        return capture(client)
