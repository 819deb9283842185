"""A Redis server of our own, on a free port, that keeps nothing on the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import ConnectionError as NotYet

from tests.bench.contender import free_port
from tests.waiting import eventually

URL = "BENCH_REDIS_URL"
"""The environment variable in which the contenders' applications find it."""


def installed() -> bool:
    """Whether there is a redis-server program here."""
    return shutil.which("redis-server") is not None


@contextmanager
def running() -> Iterator[None]:
    """Run one, and name it in the environment."""
    port = free_port()
    with tempfile.TemporaryDirectory() as place:
        line = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", place]
        process = subprocess.Popen(
            [*line, "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL
        )
        try:
            os.environ[URL] = f"redis://127.0.0.1:{port}/0"
            eventually(_answers)
            yield
        finally:
            process.terminate()
            process.wait(30)


def empty() -> None:
    """Forget everything."""
    with Redis.from_url(os.environ[URL]) as client:
        client.flushall()


def _answers() -> bool:
    try:
        with Redis.from_url(os.environ[URL]) as client:
            return bool(client.ping())
    except NotYet:
        return False
