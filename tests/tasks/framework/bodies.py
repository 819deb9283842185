"""Running a body as a task named ``t``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tasks.framework.reading import Reading, read
from tasks.framework.task import Options, Task, registry
from tests.tasks.framework.rig import Rig, request


@contextmanager
def declared(fn: Callable[..., Any], **options: Any) -> Iterator[Task[..., Any]]:
    """Declare a task named ``t`` during the block."""
    registry["t"] = Task(fn, Options(name="t", **options))
    try:
        yield registry["t"]
    finally:
        del registry["t"]


def run(rig: Rig, fn: Callable[..., Any], *args: Any, **changes: Any) -> Reading:
    """Run a body to its end and read what is known of it."""
    with declared(fn):
        rig.protocol.submit(request(args=list(args), **changes))
        rig.deliver_all()
    reading = read(rig.protocol, "J")
    assert reading is not None
    return reading
