"""The alternative on SQLite: huey, in WAL mode, flushing every write to the disk or none."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.bench.contender import Contender, consumer

POLLING = ["-d", "0.01", "-m", "0.01"]
"""Seconds between two looks of an idle worker: the default of 0.1 and more would decide all."""


class HueyQueue:
    """Sends and waits, looking for results every 2 ms rather than every 50 and more."""

    def __init__(self, app: ModuleType) -> None:
        self._app = app

    def send(self, number: int) -> Any:
        return self._app.add(number, 1)

    def wait(self, sent: Any) -> None:
        sent.get(blocking=True, timeout=120, max_delay=0.002)


def opened(*, fsync: bool) -> Callable[[int], AbstractContextManager[HueyQueue]]:
    """Return how to open it in a new directory."""

    @contextmanager
    def open_one(workers: int) -> Iterator[HueyQueue]:
        with tempfile.TemporaryDirectory() as place:
            os.environ["HUEY_FILE"] = str(Path(place) / "huey.db")
            os.environ["HUEY_FSYNC"] = str(int(fsync))
            # it reads its file's name when it is imported, and each round has a file of its own
            app = importlib.reload(importlib.import_module("tests.bench.huey_app"))
            line = ["huey.bin.huey_consumer", "tests.bench.huey_app.huey", "-k", "process"]
            if not workers:
                yield HueyQueue(app)
                return
            with consumer([*line, "-w", str(workers), "-q", *POLLING], os.environ):
                yield HueyQueue(app)

    return open_one


HUEY = Contender("huey, SQLite, fsync", opened(fsync=True))
HUEY_NO_FSYNC = Contender("huey, SQLite, no fsync", opened(fsync=False))
