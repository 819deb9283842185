"""What the tests of the stand-in ask of the sample app."""

from __future__ import annotations

from typing import Any

import modal

from tests.local_modal import Container, LocalModal


def function(name: str) -> Any:
    """Return a function of the sample app."""
    return modal.Function.from_name("sample", name)


def spawn(**order: Any) -> Any:
    """Let a Runner do that; return the FunctionCall."""
    return modal.Cls.from_name("sample", "Runner")().run.spawn(order)


def at_work(local: LocalModal, call: Any, name: str = "Runner") -> Container:
    """Return the container that runs the call, once it is in the middle of it."""

    def look() -> Container | None:
        ids = {each.id for each in local.calls()[call.object_id].inputs}
        return next((each for each in local.tasks(name) if ids & each.running.keys()), None)

    task = local.wait(look)
    assert task is not None
    order = local.calls()[call.object_id]
    local.wait(lambda: task.log().count("run {") >= task.n_inputs or order.done)
    return task
