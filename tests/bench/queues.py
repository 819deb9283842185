"""A thousand no-op tasks through one worker process: our framework, and huey on SQLite."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
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
        for name in [name for name in sys.modules if name == "tests.bench.huey_app"]:
            del sys.modules[name]
        from tests.bench import huey_app  # noqa: PLC0415 - it reads its file's name when imported

        arguments = ["tests.bench.huey_app.huey", "-w", "1", "-k", "process", "-q"]
        consumer = subprocess.Popen(
            [sys.executable, "-m", "huey.bin.huey_consumer", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            huey_app.add(0, 0).get(blocking=True, timeout=60)
            return _timed(
                lambda: [huey_app.add(n, 1) for n in range(COUNT)],
                lambda result: result.get(blocking=True, timeout=120),
            )
        finally:
            consumer.terminate()
            consumer.wait(30)


def _timed(send: Callable[[], list[T]], wait: Callable[[T], object]) -> float:
    began = time.perf_counter()
    for result in send():
        wait(result)
    return time.perf_counter() - began
