"""Celery on Redis, with one no-op task."""

from __future__ import annotations

import os

from celery import Celery

from tests.bench.redis_server import URL

app = Celery("bench", broker=os.environ[URL], backend=os.environ[URL])
app.conf.update(
    worker_prefetch_multiplier=64,  # its guide's advice for many short tasks
    broker_connection_retry_on_startup=True,
    task_serializer="json",
    result_serializer="json",
)


def _add(x: int, y: int) -> int:
    return x + y


add = app.task(name="add")(_add)
