"""Our own framework: SQLite, flushed to the disk wherever something was promised."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.framework import AsyncResult, configure
from tasks.framework.backends.process import recover
from tasks.framework.backends.supervisor import Supervisor
from tests.bench.contender import Contender
from tests.tasks.framework import local_app
from tests.waiting import eventually


class OwnQueue:
    """Sends and waits as anybody would."""

    def send(self, number: int) -> AsyncResult[int]:
        return local_app.add.delay(number, 1)

    def wait(self, sent: AsyncResult[int]) -> None:
        sent.get(120)


@contextmanager
def opened(workers: int) -> Iterator[OwnQueue]:
    """Open it in a new directory."""
    with tempfile.TemporaryDirectory() as place:
        backend = local_app.open_backend(Path(place))
        line = [sys.executable, "-m", local_app.__name__, place]
        supervisor = Supervisor(
            {"cpu": workers},
            lambda pool, name: [*line, pool, name],
            lambda name: recover(backend, name),
        )
        with supervisor:
            eventually(lambda: all(name and backend.is_ready(name) for name in supervisor.names()))
            yield OwnQueue()
        configure(None)


OURS = Contender("ours", opened)
