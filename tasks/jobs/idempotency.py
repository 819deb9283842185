"""Idempotency keys: the same request of the same caller makes one job, however often it is sent.

A key is one record, ``idem:{digest of caller and key}``, and one `Store.add` of it decides who
carries the request out. It names the job's id in advance, so nothing has to be written when that
is done: the answer to a repeated request is that job, if it is there, and else the first request
is still in hand, or has died. Whoever takes over from a dead one uses the same id, so that even
one that was only slow makes no second job: the protocol's own decision on ``job:{id}`` sees to it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tasks.framework import runtime
from tasks.framework.message import digest
from tasks.framework.protocol import GENERATIONS, Protocol
from tasks.framework.reading import read
from tasks.framework.stores import Json
from tasks.jobs.errors import JobNotFound, KeyInUse, KeyReused
from tasks.jobs.model import Job
from tasks.jobs.reading import get

IDEMPOTENCY = "idempotency"
"""The header of a run that names the record of the key it was sent under."""

KEPT_SECONDS = 86_400.0
"""How long a key is remembered."""

ATTEMPTS = 10
"""How often a key that is given back, or forgotten, under our hands is tried again."""

PATIENCE_SECONDS = 60.0
"""How long a request may take until it is taken for dead."""


@dataclass(frozen=True)
class Hold:
    """A key, as it is held. ``job`` is the answer to an earlier request; without one, this
    request is to be carried out, under ``job_id``."""

    name: str
    job_id: str
    job: Job | None = None


@contextmanager
def hold(caller: str, key: str, request: Any) -> Iterator[Hold]:
    """Hold a key for one request during the block; JSON that is equal is the same request.

    A block that raises before its job is committed gives the key back.

    Raises:
        KeyReused: the caller sent the key with another request.
        KeyInUse: the first request with it is still in hand.
    """
    protocol = runtime().protocol
    name = f"idem:{digest(caller, key)}"
    first = {"digest": digest(request), "job": str(uuid.uuid4()), "at": protocol.clock()}
    mine, job = _claim(protocol, name, first)
    if job:
        yield Hold(name, job.job_id, job)
        return
    try:
        yield Hold(name, mine["job"])
    except BaseException:
        if _job_of(protocol, mine["job"]) is None:
            protocol.store.delete(name, if_value=mine)
        raise


def release(name: str, job_id: str) -> None:
    """Forget a key, if it still is that of this job, which is about to be deleted."""
    store = runtime().protocol.store
    found = store.get(name)
    if found and found["job"] == job_id.rstrip("+"):
        store.delete(name, if_value=found)


def forget_keys() -> int:
    """Drop the keys that are remembered long enough; return how many."""
    protocol = runtime().protocol
    old = [
        (name, value)
        for name, value in protocol.store.scan("idem:")
        if protocol.clock() - value["at"] >= KEPT_SECONDS
    ]
    for name, value in old:
        protocol.store.delete(name, if_value=value)
    return len(old)


def _claim(protocol: Protocol, name: str, first: Json) -> tuple[Json, Job | None]:
    """Hold the key with `first` or as it was held; or find the job that was made with it."""
    for _ in range(ATTEMPTS):
        if protocol.store.add(name, first):
            return first, None
        found = protocol.store.get(name)
        if found is None:
            continue  # given back just now
        if protocol.clock() - found["at"] >= KEPT_SECONDS:
            protocol.store.delete(name, if_value=found)
            continue
        if found["digest"] != first["digest"]:
            raise KeyReused
        job = _job_of(protocol, found["job"])
        return (found, job) if job else (_take_over(protocol, name, found), None)
    raise KeyInUse


def _take_over(protocol: Protocol, name: str, found: Json) -> Json:
    """Hold the key in place of a request that must have died; raise KeyInUse if it may not."""
    now = protocol.clock()
    mine = {**found, "at": now}
    if now - found["at"] < PATIENCE_SECONDS:
        raise KeyInUse
    protocol.store.delete(name, if_value=found)
    if not protocol.store.add(name, mine):
        raise KeyInUse  # somebody else was first
    return mine


def _job_of(protocol: Protocol, job_id: str) -> Job | None:
    """Find the job, under the id that it has if earlier submissions under this were abandoned."""
    for _ in range(GENERATIONS):
        if read(protocol, job_id):
            break
        abandoned = protocol.job(job_id)
        if abandoned is None or not abandoned.void:
            return None
        job_id += "+"
    try:
        return get(job_id)
    except JobNotFound:
        return None
