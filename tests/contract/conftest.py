from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.framework.archives import Archive
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.stores import Store
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.stores.sqlite import SqliteStore

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda path: MemoryStore(),
    "sqlite": lambda path: SqliteStore(path / "tasks.db"),
}

ARCHIVES: dict[str, Callable[[Path], Archive]] = {
    "memory": lambda path: MemoryArchive(),
    "sqlite": lambda path: SqliteArchive(path / "tasks.db"),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path)


@pytest.fixture(params=ARCHIVES)
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    return ARCHIVES[request.param](tmp_path)
