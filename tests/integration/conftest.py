"""The whole service, started once for all tests that leave it as they found it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.modal_stack import ModalStack
from tests.integration.service import Service
from tests.integration.stack import Stack
from tests.s3_server import S3Server

CARRIERS = ["embedded", pytest.param("on_modal", marks=pytest.mark.slow)]
"""What carries the service: the same tests hold on one machine and on Modal."""

SETTINGS = {"OUTBOUND_ALLOW": "127.0.0.1/32"}


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The service on one machine, for what asks about its processes."""
    with Stack(tmp_path_factory.mktemp("stack") / "data", **SETTINGS) as stack:
        yield stack


@pytest.fixture(scope="session")
def on_modal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModalStack]:
    """The service on the stand-in for Modal; one worker, as on one machine."""
    root = tmp_path_factory.mktemp("stack")
    with (
        S3Server(root / "s3") as server,
        ModalStack(root / "data", server.new_bucket(), GPU_MAX_CONTAINERS=1, **SETTINGS) as stack,
    ):
        yield stack


@pytest.fixture(scope="session", params=CARRIERS)
def stack(request: pytest.FixtureRequest) -> Service:
    service: Service = request.getfixturevalue(request.param)
    return service


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Make services with settings of their own; each is stopped at the end."""
    made: list[Stack] = []

    def make(**settings: object) -> Stack:
        made.append(Stack(tmp_path / f"data{len(made)}", **settings))
        return made[-1]

    yield make
    for stack in made:
        if stack.process is not None:
            stack.stop()
