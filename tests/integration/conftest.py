"""The whole service, started once for all tests that leave it as they found it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("stack") / "data"
    with Stack(data, OUTBOUND_ALLOW="127.0.0.1/32") as stack:
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
