"""A real ComfyUI with our companion, and the catalogue that it tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import comfy_runner
from comfy_runner.catalog import Catalog, capture
from comfy_runner.client import ComfyClient
from comfy_runner.installation import Installation
from comfy_runner.server import ComfyServer
from tests.comfy_runner.conftest import NODES

COMPANION = Path(comfy_runner.__file__).parent / "companion"
PICTURE = "picture.png"


@pytest.fixture(scope="session")
def telling_server(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyServer]:
    """A ComfyUI with the companion and all test nodes, and one file to load."""
    directory = tmp_path_factory.mktemp("telling")
    packs = {str(place.parent): {"custom_nodes": str(place)} for place in (NODES, COMPANION)}
    config = directory / "packs.yaml"
    config.write_text(json.dumps(packs))
    server = ComfyServer(
        installation, directory, arguments=("--extra-model-paths-config", str(config))
    )
    server.start()
    try:
        server.wait_ready()
        (server.input_directory / PICTURE).write_bytes(b"never looked into")
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def live_catalog(telling_server: ComfyServer) -> Catalog:
    with ComfyClient(telling_server.url) as client:
        return capture(client)
