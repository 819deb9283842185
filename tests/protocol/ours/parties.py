"""What the parties do, as calls of our own code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks.framework import current
from tasks.framework.context import running
from tasks.framework.errors import Interrupted, LimitReached
from tasks.framework.protocol import Protocol
from tasks.framework.result import AsyncResult
from tasks.framework.retry import Retry
from tasks.framework.states import FINAL_STATES
from tasks.framework.task import Options, Task, registry
from tests.protocol.model.terms import DELAY, JUMP
from tests.protocol.ours.party import operate
from tests.protocol.ours.surroundings import beat, seat
from tests.protocol.ours.world import Act, Code

EXPIRES = 2 * JUMP - 1
STATES = {"scheduled": "queued", "started": "running", "retrying": "running", "queued": "queued"}


def body() -> str:
    """Start, beat and look once, then end as the explorer likes."""
    context = running.get()
    assert context is not None
    run_id, attempt = context.job.id, context.attempt
    operate("start", run_id, attempt)
    context.stop_reason = beat()
    current.checkpoint()
    outcome = operate("body", run_id, attempt)
    if outcome == "retry":
        current.retry(after=DELAY)
    if outcome == "leave":
        seat.get().redelivered = True
    if outcome in {"handed", "leave"}:
        raise Interrupted("the process has to leave")
    if outcome == "fail":
        raise ValueError("the body failed")
    return "done"


def linked(run_id: str) -> None:
    """Do nothing: it is enough to be sent."""


TASKS: dict[str, Task[..., Any]] = {
    "t": Task(body, Options(name="t", retry=Retry(limit=9))),
    "hook": Task(linked, Options(name="hook")),
}


@contextmanager
def declared() -> Iterator[None]:
    """Have the tasks known by their names during the block."""
    registry.update(TASKS)
    try:
        yield
    finally:
        for name in TASKS:
            del registry[name]


def sends(key: str) -> Act:
    def act(code: Code, protocol: Protocol) -> None:
        hook = TASKS["hook"].s()
        try:
            sent = TASKS["t"].apply_async(
                task_id=key, owner="o", limit=1, expires=EXPIRES, link=hook
            )
        except LimitReached:
            operate("refused", key)
        else:
            operate("ack", key, sent.id)

    return act


def revokes(key: str) -> Act:
    def act(code: Code, protocol: Protocol) -> None:
        if AsyncResult[str](key).revoke():
            operate("revoked", key)

    return act


def finishes(code: Code, protocol: Protocol) -> None:
    protocol.settle_final("J")


def polls(key: str) -> Act:
    def act(code: Code, protocol: Protocol) -> None:
        for _ in range(3):
            reading = code.read(protocol, key)
            state = "unknown" if reading is None else STATES.get(str(reading.state), "final")
            operate("seen", key, state)

    return act


def lists_ended(code: Code, protocol: Protocol) -> None:
    before = operate("ended")
    found = code.listing(protocol, task="t", owner="o", states=FINAL_STATES)
    operate("listed", before, [reading.id for reading in found])


def lists(code: Code, protocol: Protocol) -> None:
    before = operate("acked")
    found = code.listing(protocol, task="t", owner="o")
    operate("listed", before, [reading.id for reading in found])
