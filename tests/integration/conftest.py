"""The whole service, started once for all tests that leave it as they found it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.modal_stack import ModalStack
from tests.integration.service import Service
from tests.integration.stack import Stack
from tests.s3_server import S3Server

CARRIERS = ["embedded", pytest.param("modal", marks=pytest.mark.slow)]
"""What carries the service: the same tests hold on one machine and on Modal."""


@pytest.fixture(scope="session", params=CARRIERS)
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    root = tmp_path_factory.mktemp("stack")
    if request.param == "embedded":
        with Stack(root / "data", OUTBOUND_ALLOW="127.0.0.1/32") as stack:
            yield stack
        return
    with (
        S3Server(root / "s3") as server,
        ModalStack(root / "data", server.new_bucket(), OUTBOUND_ALLOW="127.0.0.1/32") as stack,
    ):
        yield stack


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
