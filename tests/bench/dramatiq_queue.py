"""Another alternative: dramatiq, with broker and results on Redis."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tests.bench import redis_server
from tests.bench.contender import Contender, consumer


class DramatiqQueue:
    """Sends and waits; Redis holds it until a result is there."""

    def __init__(self, app: ModuleType) -> None:
        self._app = app

    def send(self, number: int) -> Any:
        return self._app.add.send(number, 1)

    def wait(self, sent: Any) -> None:
        sent.get_result(block=True, timeout=120_000)


@contextmanager
def opened(workers: int) -> Iterator[DramatiqQueue]:
    """Open it on the running Redis."""
    redis_server.empty()
    app = importlib.import_module("tests.bench.dramatiq_app")
    if not workers:
        yield DramatiqQueue(app)
        return
    line = ["dramatiq", "tests.bench.dramatiq_app", "--threads", "1"]
    many = {"dramatiq_queue_prefetch": "64"}
    with consumer([*line, "--processes", str(workers)], {**os.environ, **many}):
        yield DramatiqQueue(app)


DRAMATIQ = Contender("dramatiq, Redis", opened)
