"""What is measured of every task queue: the same few calls, whoever it is."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol


class Queue(Protocol):
    """An opened queue with one no-op task, which adds two numbers."""

    def send(self, number: int) -> Any:
        """Send one call; return what `wait` takes."""

    def wait(self, sent: Any) -> None:
        """Wait for its result."""


@dataclass(frozen=True)
class Contender:
    """A task queue: its name, and how to open an empty one with so many worker processes."""

    name: str
    open: Callable[[int], AbstractContextManager[Queue]]


@contextlib.contextmanager
def consumer(arguments: list[str], environment: Mapping[str, str]) -> Iterator[None]:
    """Run ``python -m`` something beside us."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
