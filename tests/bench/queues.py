"""A thousand no-op tasks through one worker process: our framework, and huey on SQLite."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from tasks.framework import configure
from tasks.framework.backends.process import recover
from tasks.framework.backends.supervisor import Supervisor
from tests.tasks.framework import local_app

T = TypeVar("T")

COUNT = 1000


def ours() -> float:
    """Return the seconds from the first send to the last result."""
    with tempfile.TemporaryDirectory() as place:
        backend = local_app.open_backend(Path(place))
        command = [sys.executable, "-m", local_app.__name__, place]
        with Supervisor(
            {"cpu": 1},
            lambda pool, name: [*command, pool, name],
            lambda name: recover(backend, name),
        ):
            local_app.add.delay(0, 0).get(60)
            seconds = _timed(
                lambda: [local_app.add.delay(n, 1) for n in range(COUNT)],
                lambda result: result.get(120),
            )
        configure(None)
    return seconds


def huey() -> float:
    """Return the same for huey: one worker process, everything flushed to the disk as ours is."""
    with tempfile.TemporaryDirectory() as place:
        os.environ["HUEY_FILE"] = str(Path(place) / "huey.db")
        # it reads its file's name when it is imported, and each round has a file of its own
        huey_app = importlib.reload(importlib.import_module("tests.bench.huey_app"))
        arguments = ["tests.bench.huey_app.huey", "-w", "1", "-k", "process", "-q"]
        consumer = subprocess.Popen(
            [sys.executable, "-m", "huey.bin.huey_consumer", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _until_it_answers(huey_app)
            return _timed(
                lambda: [huey_app.add(n, 1) for n in range(COUNT)],
                lambda result: result.get(blocking=True, timeout=120),
            )
        finally:
            consumer.terminate()
            consumer.wait(30)


def _until_it_answers(app: ModuleType) -> None:
    for _ in range(20):  # what is sent before its consumer is ready can stay unseen
        with contextlib.suppress(app.ResultTimeout):
            app.add(1, 1).get(blocking=True, timeout=3)
            return
    raise RuntimeError("huey's consumer does not answer")


def _timed(send: Callable[[], list[T]], wait: Callable[[T], object]) -> float:
    began = time.perf_counter()
    for result in send():
        wait(result)
    return time.perf_counter() - began
