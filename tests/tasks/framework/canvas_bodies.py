"""Tasks to make chains and groups of, and ways to deliver their runs one by one."""

from __future__ import annotations

from typing import Any

from tasks.framework import Retry, current, task
from tasks.framework.execute import execute
from tests.tasks.framework.rig import Rig

RAN: list[str] = []
"""The runs that had a body carried out, in order."""


@task(name="tests.canvas.add")
def add(x: int, y: int = 1) -> int:
    RAN.append(str(current.id))
    return x + y


@task(name="tests.canvas.total")
def total(numbers: list[int], more: int = 0) -> int:
    RAN.append(str(current.id))
    return sum(numbers) + more


@task(name="tests.canvas.fail")
def fail(x: int = 0) -> int:
    RAN.append(str(current.id))
    raise ValueError(f"no {x}")


@task(name="tests.canvas.tell")
def tell(given: object = None, word: str = "") -> dict[str, Any]:
    RAN.append(str(current.id))
    return {"given": given, "word": word, "headers": current.headers}


@task(name="tests.canvas.flaky", retry=Retry(limit=2, delay=5, jitter=0, on=(OSError,)))
def flaky(x: int) -> int:
    if current.attempt == 1:
        raise OSError
    return x


def deliver(rig: Rig, run_id: str) -> None:
    """Carry out the waiting delivery of one run."""
    calls = [call for call, message in rig.backend.waiting.items() if message["id"] == run_id]
    execute(rig.backend.waiting.pop(calls[0]))


def waiting(rig: Rig) -> list[str]:
    """Return the runs that wait to be delivered."""
    return [message["id"] for message in rig.backend.waiting.values()]
