"""What the searches over our own code rely on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.framework.archives.memory import MemoryArchive
from tests.modal_stand_in import StandIn, stand_in
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


MODAL = pytest.param("modal", marks=[pytest.mark.live, pytest.mark.slow])


@pytest.fixture(scope="session")
def modal() -> Iterator[StandIn]:
    with stand_in() as started:
        yield started


@pytest.fixture(params=["memory", "sqlite"])
def keep(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Kept]:
    """Return what makes the records of one path."""
    if request.param == "memory":
        return Kept.in_memory
    return Kept.in_sqlite(tmp_path / "tasks.db")


@pytest.fixture(params=["memory", "sqlite", MODAL])
def keep_anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Kept]:
    """Do as `keep`, also in the Dicts of an app that is new for each path."""
    if request.param == "memory":
        return Kept.in_memory
    if request.param == "sqlite":
        return Kept.in_sqlite(tmp_path / "tasks.db")
    started: StandIn = request.getfixturevalue("modal")
    return lambda: Kept(started.store(), MemoryArchive())
