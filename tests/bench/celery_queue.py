"""The best known alternative: Celery, with broker and results on Redis."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tests.bench import redis_server
from tests.bench.contender import Contender, consumer


class CeleryQueue:
    """Sends and waits; Redis tells it of results."""

    def __init__(self, app: ModuleType) -> None:
        self._app = app

    def send(self, number: int) -> Any:
        return self._app.add.delay(number, 1)

    def wait(self, sent: Any) -> None:
        sent.get(timeout=120)


@contextmanager
def opened(workers: int) -> Iterator[CeleryQueue]:
    """Open it on the running Redis."""
    redis_server.empty()
    app = importlib.import_module("tests.bench.celery_app")
    if not workers:
        yield CeleryQueue(app)
        return
    line = ["celery", "-A", "tests.bench.celery_app", "worker", "--pool", "prefork"]
    line += ["--concurrency", str(workers), "--loglevel", "ERROR"]
    line += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with consumer(line, os.environ):
        yield CeleryQueue(app)


CELERY = Contender("Celery, Redis", opened)
