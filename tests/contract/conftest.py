from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from comfy_runner.bucket import LocalRecords
from comfy_runner.bucket.s3_client import S3Address
from comfy_runner.bucket.s3_records import S3Records
from tasks.framework.archives import Archive
from tasks.framework.archives.bucket import BucketArchive
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.stores import Store
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.stores.sqlite import SqliteStore
from tests.modal_stand_in import StandIn, stand_in

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda path: MemoryStore(),
    "sqlite": lambda path: SqliteStore(path / "tasks.db"),
}
MODAL = "modal dict"

ARCHIVES: dict[str, Callable[[Path], Archive]] = {
    "memory": lambda path: MemoryArchive(),
    "sqlite": lambda path: SqliteArchive(path / "tasks.db"),
    "bucket": lambda path: BucketArchive(LocalRecords(path / "records.db")),
}


@pytest.fixture(scope="session")
def modal() -> Iterator[StandIn]:
    with stand_in() as started:
        yield started


@pytest.fixture(params=[*STORES, pytest.param(MODAL, marks=pytest.mark.live)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == MODAL:
        started: StandIn = request.getfixturevalue("modal")
        return started.store()
    return STORES[request.param](tmp_path)


@pytest.fixture(params=[*ARCHIVES, pytest.param("s3", marks=pytest.mark.live)])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Archive:
    if request.param == "s3":
        address: S3Address = request.getfixturevalue("s3_address")
        return BucketArchive(S3Records(replace(address, prefix="app/")))
    return ARCHIVES[request.param](tmp_path)
