# mypy: ignore-errors
"""Mistakes that a type checker must find: each marked with the code of its error."""

from __future__ import annotations

from tasks.framework import AsyncResult, Protocol, Retry, Worker, chain, current, group, task
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.backends.eager import EagerBackend
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.task import pool_of


class Model(Worker):
    pool = "model"


@task(timeout=60)
def add(x: int, y: int = 0) -> int:
    return x + y


@task(worker=Model)
def translate(model: Model, word: str) -> str:
    return word


def calls() -> None:
    add("1")  # error: arg-type
    add(1, 2, 3)  # error: call-arg
    add.delay("1")  # error: arg-type
    add.delay()  # error: call-arg
    add.delay(1, z=2)  # error: call-arg
    add.apply_async(1)  # error: arg-type
    add.apply_asink((1,))  # error: attr-defined


def compositions() -> None:
    chain(add)  # error: call-overload
    group(add)  # error: call-overload
    add.s(1) | add  # error: operator
    add.si("1")  # error: arg-type
    add.s(1).set(countdwon=1)  # error: call-arg
    add.map(1)  # error: arg-type
    text: str = chain(add.s(1), add.s(1)).delay().get(timeout=1)  # error: assignment
    add.s(text)


def workers(model: Model) -> None:
    translate.delay(model, "one")  # error: call-arg, arg-type
    translate(1)  # error: arg-type


def options() -> None:
    add.apply_async((1,), countdwon=1)  # error: call-arg
    add.apply_async((1,), countdown="1")  # error: arg-type
    add.apply_async((1,), eta=1.0)  # error: arg-type
    add.apply_async((1,), link=add)  # error: arg-type
    add.apply_async((1,), retry="3")  # error: arg-type
    Retry(limit="3")  # error: arg-type
    Retry().limit = 4  # error: misc


def declarations() -> None:
    task(tiemout=60)  # error: call-overload
    task(retry="3")  # error: call-overload
    task(worker=Model, cron="* * * * *")  # error: call-overload


@task(worker=Model)  # error: arg-type
def wrong_worker(model: int) -> None:
    pass


def results(result: AsyncResult[int]) -> None:
    text: str = add.delay(1).get(timeout=1)  # error: assignment
    add.delay(1).get()  # error: call-arg
    result.state = "queued"  # error: misc, assignment
    over: bool = result.state.finnal  # error: attr-defined
    add(text, over)  # error: arg-type


def context() -> None:
    current.progress(50)  # error: call-arg
    current.attempt = 2  # error: misc
    current.retry(60)  # error: call-arg


def unreachable() -> int:
    current.retry(after=1)
    return 1  # error: unreachable


class HalfAStore:
    def get(self, key: str) -> None:
        pass


def ports() -> None:
    Protocol(HalfAStore(), MemoryArchive(), EagerBackend(), float, pool_of)  # error: arg-type
    Protocol(MemoryStore(), MemoryStore(), EagerBackend(), float, pool_of)  # error: arg-type
