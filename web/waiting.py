"""Requests that are kept open: how many there may be, and when it is no use to go on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

from flask import request

from web.errors import ProblemError

STOPPING = "comfy.server_stopping"
"""Where the server's environ holds a function that says whether it is about to stop."""

DISCONNECTED = "waitress.client_disconnected"
"""Where waitress puts a function that says whether the client has gone."""

RETRY_SECONDS = 2


class Waiting:
    """Counts the open requests of all callers of one process.

    Each of them holds a thread of the server, which has that many more threads than the rest
    needs: waiting requests never take one away from others.
    """

    def __init__(self, most: int, most_per_caller: int) -> None:
        self._most, self._most_per_caller = most, most_per_caller
        self._open: Counter[str] = Counter()
        self._lock = threading.Lock()

    def enter(self, caller: str) -> ExitStack:
        """Count one more request until what is returned is closed, which may be done twice.

        Raises:
            ProblemError: 429, when there are as many as may be.
        """
        with self._lock:
            if self._open[caller] >= self._most_per_caller:
                limit = f"{self._most_per_caller} for each key (MAX_STREAMS_PER_KEY)"
                raise _too_many(limit)
            if self._open.total() >= self._most:
                raise _too_many(f"{self._most} in all (MAX_STREAMS)")
            self._open[caller] += 1
        place = ExitStack()
        place.callback(self._leave, caller)
        return place

    def _leave(self, caller: str) -> None:
        with self._lock:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


def pointless() -> Callable[[], bool]:
    """Return what says whether to break off: the client has gone, or the server is stopping."""
    signs = [request.environ.get(name) for name in (DISCONNECTED, STOPPING)]
    known = [sign for sign in signs if callable(sign)]
    return lambda: any(sign() for sign in known)


def _too_many(limit: str) -> ProblemError:
    detail = (
        f"There are as many event streams and waiting requests open as may be: {limit}; close "
        "one, or ask without waiting."
    )
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return ProblemError(429, "too_many_streams", detail, headers=headers)
