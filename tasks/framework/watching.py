"""Waiting until records may have changed, without reading them again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, runtime_checkable

from tasks.framework.stores import Store

Wait = Callable[[float], None]
"""Returns when something may have changed since the last call, or after so many seconds."""

LOOK_SECONDS = 0.025
"""How often a store that can tell cheaply is asked whether it has changed."""

BLIND_SECONDS = 1.0
"""How often readers of a store that cannot tell are woken."""

PAUSE_SECONDS = 0.1
"""The least time between two wakings of one reader: each costs it a few reads."""


@runtime_checkable
class Observable(Protocol):
    """A store that can tell cheaply whether anything in it has changed."""

    def observed(self) -> AbstractContextManager[Callable[[], int]]:
        """Give a function whose value is another one after every change.

        It is called in one thread only.
        """


class Watch:
    """Wakes the readers of one store. A single thread looks, and only while somebody waits."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = threading.Condition()
        self._changes = 0
        self._readers = 0
        self._enough = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[Wait]:
        """Give a `Wait` for one thread; what changes from now on is not missed."""
        with self._changed:
            self._readers += 1
            if self._readers == 1:
                self._start()
            reader = _Reader(self._changed, lambda: self._changes)
        try:
            yield reader.wait
        finally:
            with self._changed:
                self._readers -= 1
                if not self._readers:
                    self._enough.set()

    def _start(self) -> None:
        self._enough = threading.Event()  # an earlier thread has its own, which is set
        ready = threading.Event()
        arguments = (self._enough, ready)
        threading.Thread(target=self._look, args=arguments, name="watch", daemon=True).start()
        ready.wait(BLIND_SECONDS)

    def _look(self, enough: threading.Event, ready: threading.Event) -> None:
        store = self._store
        with store.observed() if isinstance(store, Observable) else nullcontext() as version:
            seen = version() if version else 0
            ready.set()
            while not enough.wait(LOOK_SECONDS if version else BLIND_SECONDS):
                now = version() if version else seen + 1
                if now != seen:
                    seen = now
                    self._wake()

    def _wake(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()


class _Reader:
    def __init__(self, changed: threading.Condition, changes: Callable[[], int]) -> None:
        self._changed, self._changes = changed, changes
        self._seen = changes()
        self._woken = 0.0

    def wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        pause = min(self._woken + PAUSE_SECONDS, until) - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        with self._changed:
            left = until - time.monotonic()
            self._changed.wait_for(lambda: self._changes() != self._seen, max(0.0, left))
            self._seen = self._changes()
        self._woken = time.monotonic()
