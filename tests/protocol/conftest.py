"""What the searches over our own code rely on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.protocol.ours.parties import declared
from tests.protocol.ours.world import Kept


@pytest.fixture
def tasks() -> Iterator[None]:
    """Have the tasks of the searches declared, and their failures not logged."""
    logging.disable(logging.ERROR)
    try:
        with declared():
            yield
    finally:
        logging.disable(logging.NOTSET)


@pytest.fixture(params=["memory", "sqlite"])
def keep(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Kept]:
    """Return what makes the records of one path."""
    if request.param == "memory":
        return Kept.in_memory
    return Kept.in_sqlite(tmp_path / "tasks.db")
