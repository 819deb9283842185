"""What waits and who works, as operators are told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from settings import Settings
from tasks import embedded, operations
from tasks.framework import Protocol, configure, runtime
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.backends.doorbell import Doorbell
from tasks.framework.backends.eager import EagerBackend
from tasks.framework.backends.local import LocalBackend
from tasks.framework.errors import NotConfigured
from tasks.framework.records import Final, Job
from tasks.framework.runtime import Runtime
from tasks.framework.stores import Json
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.task import pool_of
from tasks.maintenance import tick
from tasks.webhook import deliver_webhook
from tasks.workflow import run_workflow


class Silent(EagerBackend):
    """A backend that delivers nothing, and cannot tell what waits."""

    def submit(self, message: object, pool: str, due: float) -> str:
        return "call"


@pytest.fixture(params=["sqlite", "memory"])
def protocol(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Protocol]:
    if request.param == "sqlite":
        embedded.configure(Settings(data_dir=tmp_path))
    else:
        parts = (MemoryStore(), MemoryArchive(), Silent(), time.time, pool_of)
        configure(Runtime(Protocol(*parts)))
    yield runtime().protocol
    configure(None)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalBackend]:
    embedded.configure(Settings(data_dir=tmp_path))
    yield cast(LocalBackend, runtime().protocol.backend)
    configure(None)


def send(protocol: Protocol, run_id: str, task: str = run_workflow.name, due: float = 0) -> None:
    protocol.submit(Job(id=run_id, task=task, created=time.time(), due=due))


def take(protocol: Protocol, run_id: str) -> None:
    """Do as a worker that has claimed the message and the run."""
    if isinstance(protocol.backend, LocalBackend):
        assert protocol.backend.claim(pool_of(run_workflow.name), "w")
    assert protocol.claim(run_id, worker="w", wait=lambda: None)


def test_jobs_wait_until_they_are_taken(protocol: Protocol) -> None:
    for run_id in ("a", "b", "c"):
        send(protocol, run_id)
    send(protocol, "other", task=tick.name)
    send(protocol, "hook", task=deliver_webhook.name)
    assert (operations.queued(), operations.figures().running) == (3, 0)
    take(protocol, "a")
    found = operations.figures()
    assert (found.queued, found.running) == (2, 1)
    assert operations.queued(1) == 1


def test_nobody_waits_in_an_empty_deployment(protocol: Protocol) -> None:
    found = operations.figures()
    assert (found.queued, found.running) == (0, 0)
    operations.ask_store()


def test_a_job_that_is_due_later_does_not_wait_for_a_worker(local: LocalBackend) -> None:
    send(runtime().protocol, "later", due=time.time() + 3600)
    assert operations.queued() == 0


def test_only_living_workers_that_are_ready_for_jobs_count(
    local: LocalBackend, tmp_path: Path
) -> None:
    assert operations.workers() == 0
    bells = [Doorbell(local.bells, name) for name in ("ready", "starting", "other")]
    local.mark_ready("ready", pool_of(run_workflow.name))
    local.mark_ready("other", pool_of(tick.name))
    local.mark_ready("dead", pool_of(run_workflow.name))
    try:
        assert operations.workers() == 1
        local.unmark_ready("ready")
        assert operations.workers() == 0
    finally:
        for bell in bells:
            bell.close()


def test_where_workers_cannot_be_counted_nothing_is_told() -> None:
    parts = (MemoryStore(), MemoryArchive(), Silent(), time.time, pool_of)
    configure(Runtime(Protocol(*parts)))
    try:
        assert operations.workers() is None
    finally:
        configure(None)


class LostStore(MemoryStore):
    """A store out of reach."""

    def get(self, key: str) -> Json | None:
        raise OSError("store")


class LostArchive(MemoryArchive):
    """An archive out of reach."""

    def get(self, run_id: str) -> Final | None:
        raise OSError("archive")


@pytest.mark.parametrize(
    ("store", "archive", "lost"),
    [(LostStore(), MemoryArchive(), "store"), (MemoryStore(), LostArchive(), "archive")],
)
def test_records_out_of_reach_are_noticed(
    store: MemoryStore, archive: MemoryArchive, lost: str
) -> None:
    configure(Runtime(Protocol(store, archive, Silent(), time.time, pool_of)))
    try:
        with pytest.raises(OSError, match=lost):
            operations.ask_store()
    finally:
        configure(None)


def test_a_process_that_was_not_set_up_has_no_store_to_ask() -> None:
    with pytest.raises(NotConfigured):
        operations.ask_store()
