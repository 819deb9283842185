"""One run of a task ``t`` in every state that a run can be in, each named for how it got there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.framework import State, current, task
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.retry import Retry
from tasks.framework.stores.sqlite import SqliteStore
from tasks.framework.tick import tick
from tests.tasks.framework.bodies import declared
from tests.tasks.framework.rig import HandClock, Rig, no_wait, request

BEGAN = 1_000.0
"""How many seconds ago the first of these runs was sent; the others follow a second apart."""

STATES = {
    "done": State.SUCCEEDED,
    "broken": State.FAILED,
    "stopped": State.REVOKED,
    "late": State.EXPIRED,
    "parked": State.RETRYING,
    "held": State.STARTED,
    "waiting": State.QUEUED,
    "planned": State.SCHEDULED,
}
"""The runs in the order in which they are sent."""


@task(name="tests.lives.paint")
def paint() -> None:
    """Be declared, and never run."""


def body(what: str) -> dict[str, str]:
    """Do as told."""
    current.log(f"told to be {what}")
    current.progress(step=what)
    if what == "broken":
        raise LookupError("no such [red]colour")
    if what == "parked":
        current.retry(after=50_000)
    return {"was": what}


@contextmanager
def every_life(path: Path) -> Iterator[Rig]:
    """Configure a runtime on an SQLite file with these runs in it."""
    clock = HandClock(time.time() - BEGAN)
    rig = Rig(store=SqliteStore(path), archive=SqliteArchive(path), clock=clock)
    with rig.configured(), declared(body, retry=Retry(limit=3, on=())):
        for what in STATES:
            live(rig, what)
            clock.now += 1
        yield rig


def live(rig: Rig, what: str) -> None:
    """Send a run and take it where its name says."""
    now = rig.clock.now
    times = {"created": now, "due": now + (50_000 if what == "planned" else 0)}
    options: dict[str, Any] = {"args": [what], "owner": f"u-{what}", **times}
    rig.protocol.submit(request(what, deadline=now if what == "late" else None, **options))
    if what == "stopped":
        rig.protocol.revoke(what)
    elif what == "late":
        tick(rig.protocol)
    elif what == "held":
        assert rig.protocol.claim(what, worker="holder-1", wait=no_wait)
    elif what in {"done", "broken", "parked"}:
        rig.deliver_all()
