"""A Modal app with the tasks of the local backend's tests: Functions, and two classes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import modal

from tasks.framework import Protocol, Runtime, Timing, configure
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.backends.modal import ModalBackend, function_name
from tasks.framework.backends.modal_seat import ModalSeat, deliver
from tasks.framework.stores.modal_dict import ModalDictStore
from tasks.framework.task import CPU, pool_of, registry
from tests.tasks.framework.local_app import Holder

APP = "contract"
CLASSES = {Holder.pool: "Runner", f"{Holder.pool}-cpu": "LightRunner"}
TIMING = Timing(stale=6.0, grace=6.0, beat=0.3, report=0.1, kill_after=3.0)

app = modal.App(APP, include_source=False)
SEAT = ModalSeat()


def configured(data: Path, client: Any = None, **handles: Any) -> Protocol:
    """Wire this process up: what is alive in Dicts, what is over in a file."""
    backend = ModalBackend(APP, classes=CLASSES, hydrated=handles, client=client)
    protocol = Protocol(
        ModalDictStore(APP, client=client),
        SqliteArchive(data / "archive.db"),
        backend,
        time.time,
        pool_of,
        TIMING,
    )
    configure(Runtime(protocol, {Holder: lambda: Holder(data / "notes")}))
    return protocol


def start() -> None:
    """Wire a container up."""
    configured(Path(os.environ["CONTRACT_DATA"]))


def run_task(message: dict[str, Any]) -> None:
    """Carry out a message of any task that needs no worker."""
    start()
    deliver(message, SEAT)


class _Held:
    @modal.enter()
    def wake(self) -> None:
        start()

    @modal.method()
    def run(self, message: dict[str, Any]) -> None:
        deliver(message, SEAT)


@app.cls(gpu="L40S", timeout=120, max_containers=2)
class Runner(_Held):
    """Holds the worker, on a GPU."""


@app.cls(timeout=120, max_containers=1)
class LightRunner(_Held):
    """Holds the worker, without one."""


for name, task in sorted(registry.items()):
    if task.pool == CPU and (name.startswith("tasks.framework.") or "." not in name):
        app.function(name=function_name(name), timeout=60, max_containers=1)(run_task)
