"""A real ComfyUI with our test nodes, started once for all live tests, and buckets on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import settings
from comfy_runner.bucket import LocalBucket
from comfy_runner.installation import Installation, find
from comfy_runner.server import ComfyServer
from tests.comfy_runner.buckets import Place

NODES = Path(__file__).parent / "nodes"


@pytest.fixture(scope="session")
def installation() -> Installation:
    configured = settings.load(None)
    return find(comfyui_dir=configured.comfyui_dir, comfyui_python=configured.comfyui_python)


@pytest.fixture(scope="session")
def test_nodes(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Command-line flags that give a ComfyUI our test nodes."""
    config = tmp_path_factory.mktemp("nodes") / "test_nodes.yaml"
    config.write_text(json.dumps({"test": {"custom_nodes": str(NODES)}}))
    return ("--extra-model-paths-config", str(config))


@pytest.fixture(scope="session")
def make_server(
    installation: Installation,
    test_nodes: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[], ComfyServer]]:
    """Make a ComfyServer with our test nodes, not started; stopped at the end."""
    made: list[ComfyServer] = []

    def make() -> ComfyServer:
        directory = tmp_path_factory.mktemp("comfyui")
        made.append(ComfyServer(installation, directory, arguments=test_nodes))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="session")
def shared_server(make_server: Callable[[], ComfyServer]) -> ComfyServer:
    server = make_server()
    server.start()
    server.wait_ready()
    return server


@pytest.fixture
def server(shared_server: ComfyServer) -> ComfyServer:
    """The shared ComfyUI, running, whatever the test before did to it."""
    if not shared_server.alive:
        shared_server.start()
        shared_server.wait_ready()
    return shared_server


@pytest.fixture
def bucket(tmp_path: Path) -> LocalBucket:
    return LocalBucket(tmp_path / "files", b"k" * 32)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)
