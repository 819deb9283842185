"""A moment at which a request to somebody else's server is over, whatever that server does."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Self, TypeVar

T = TypeVar("T")


class Deadline:
    """A moment at which every socket in use is shut down.

    A timeout of a socket counts silence only: a server that sends a byte now and then never
    meets one, neither in the handshake nor in headers or body.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()

    @property
    def remaining(self) -> float:
        """How many seconds are left, never less than none."""
        return max(0.0, self._end - time.monotonic())

    def watch(self, opened: socket.socket) -> None:
        """Shut `opened` down at the end, through a duplicate: TLS takes the socket itself over."""
        with self._lock:
            self._sockets.append(opened.dup())
        if not self.remaining:
            self._shut()

    def _shut(self) -> None:
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):  # it has been closed by its other end
                    each.shutdown(socket.SHUT_RDWR)


def within(deadline: Deadline, look_up: Callable[[], T]) -> T:
    """Return what `look_up` does, unless it outlasts the deadline: nothing can interrupt it.

    Raises:
        OSError: It failed with one, or with text that is no name; or the time was over.
    """
    answers: queue.SimpleQueue[T | OSError] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(look_up())
        except (OSError, UnicodeError) as error:
            answers.put(OSError(f"the name is not known: {error}"))

    threading.Thread(target=run, daemon=True).start()
    try:
        found = answers.get(timeout=deadline.remaining)
    except queue.Empty:
        raise TimeoutError("the name was not found in time") from None
    if isinstance(found, OSError):
        raise found
    return found
