"""What users of the framework write, and what a type checker makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type

from tasks.framework import (
    AsyncResult,
    Retry,
    Signature,
    State,
    Task,
    Worker,
    chain,
    current,
    group,
    task,
)
from tasks.framework.archives import Archive
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.backends import Backend
from tasks.framework.backends.eager import EagerBackend
from tasks.framework.backends.local import LocalBackend
from tasks.framework.reading import Reading
from tasks.framework.stores import Store
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.stores.sqlite import SqliteStore


class Model(Worker):
    pool = "model"

    def translate(self, word: str) -> str:
        return word


@task()
def plain() -> None:
    pass


@task(name="add", timeout=60, expires=3600, retry=3)
def add(x: int, y: int = 0, *, label: str | None = None) -> int:
    return x + y


@task(retry=Retry(limit=5, on=(OSError,), never=(FileNotFoundError,)))
def fetch(url: str) -> dict[str, Any]:
    if current.attempt < 3:
        current.retry(after=60, reason=url)
    return {"url": url}


@task(worker=Model, timeout=60)
def translate(model: Model, word: str, *, polite: bool = False) -> str:
    return model.translate(word)


@task(cron="30 8 * * 1-5", timezone="Europe/Lisbon")
def report() -> str:
    return "sent"


@task(every=60)
def poll() -> None:
    pass


def calls() -> None:
    """A call, a sending and a description of a task keep its types."""
    assert_type(add(1, 2), int)
    assert_type(add.delay(1), AsyncResult[int])
    assert_type(add.delay(1, y=2, label="sum").get(timeout=1), int)
    assert_type(add.apply_async((1,), {"y": 2}), AsyncResult[int])
    assert_type(add.s(1), Signature[int])
    assert_type(add.s(1).delay().get(timeout=1), int)
    assert_type(fetch.delay("x").get(timeout=1), dict[str, Any])
    assert_type(plain.delay(), AsyncResult[None])
    assert_type(report(), str)


def compositions() -> None:
    """A chain has the type of its last call, a group that of a list."""
    assert_type(add.s(1) | fetch.s(), Signature[dict[str, Any]])
    assert_type(chain(add.s(1), add.s(), report.si()), Signature[str])
    assert_type(group(add.s(n) for n in range(3)), Signature[list[int]])
    assert_type(group(add.s(1), add.s(2)).delay().get(timeout=1), list[int])
    assert_type(group(add.s(1)) | report.si(), Signature[str])
    assert_type(add.s(1).set(timeout=60).apply_async(task_id="sum"), AsyncResult[int])
    assert_type(add.map([1, 2]), list[AsyncResult[int]])
    add.apply_async((1,), link=add.s(1) | fetch.s())


def workers() -> None:
    """The worker is the framework's to give; nobody passes it."""
    assert_type(translate("one"), str)
    assert_type(translate.delay("one", polite=True), AsyncResult[str])
    assert_type(translate.apply_async(("one",)).get(timeout=1), str)


def options() -> None:
    """Every option of a sending."""
    add.apply_async(
        (1, 2),
        task_id="sum",
        countdown=1.5,
        expires=60,
        timeout=60,
        retry=Retry(limit=1),
        owner="ana",
        limit=5,
        link=plain.s(),
        link_error=plain.s(),
        headers={"trace": "1"},
        resources={"gpu": "L40S"},
    )
    add.apply_async((1,), eta=datetime.now(UTC) + timedelta(hours=1), retry=2, owner=None)


def results(result: AsyncResult[int]) -> None:
    """What is known of a run."""
    assert_type(result.state, State)
    assert_type(result.meta, Mapping[str, Any])
    assert_type(result.logs, list[str])
    assert_type(result.error, Mapping[str, Any] | None)
    assert_type(result.read(), Reading)
    assert_type(result.read().started, float | None)
    assert_type(result.ready(), bool)
    assert_type(result.revoke(), bool)
    assert_type(result.retry(), AsyncResult[int])
    assert_type(result.children, list[AsyncResult[Any]])
    assert_type(AsyncResult[str]("id").get(timeout=1), str)


def context() -> None:
    """What a body can ask and say."""
    assert_type(current.id, str | None)
    assert_type(current.attempt, int)
    assert_type(current.headers, dict[str, Any])
    current.progress(done=1, of=2)
    current.log("line")
    current.checkpoint()


def generic(anything: Task[..., Any]) -> str:
    """Code for any task."""
    add_again: Task[..., int] = add
    return anything.name + add_again.name


def ports(store: Store, archive: Archive, backend: Backend) -> None:
    """Code for any store, archive and backend."""


def implementations(sqlite: SqliteStore, archive: SqliteArchive, local: LocalBackend) -> None:
    """Ours fit."""
    ports(sqlite, archive, local)
    ports(MemoryStore(), MemoryArchive(), EagerBackend())
