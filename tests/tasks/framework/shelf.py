"""Records in a dictionary that counts what it is asked and breaks off where it is told to."""

from __future__ import annotations

import threading
from collections import Counter

from comfy_runner.bucket.records import check_record_key


class Broken(Exception):
    """The bucket did not answer, or whoever asked it has died."""


class Shelf:
    """A record bucket. The write that `breaks` counts down to fails, undone or not heard of."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.asked: Counter[str] = Counter()
        self.breaks: int | None = None
        self.breaks_done = False
        self._lock = threading.Lock()

    def add(self, key: str, value: bytes) -> bool:
        with self._lock:
            self._note("add", key)
            self._break(done=False)
            added = self.values.setdefault(key, value) is value
            self._break(done=True)
            return added

    def put(self, key: str, value: bytes) -> None:
        with self._lock:
            self._note("put", key)
            self._break(done=False)
            self.values[key] = value
            self._break(done=True)

    def get(self, key: str) -> bytes | None:
        with self._lock:
            self._note("get", key)
            return self.values.get(key)

    def under(self, prefix: str) -> list[str]:
        return sorted(key for key in self.values if key.startswith(prefix))

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[str]:
        with self._lock:
            self._note("list", prefix)
            found = (key for key in self.values if key.startswith(prefix) and key > after)
            return sorted(found)[:limit]

    def delete(self, *keys: str) -> None:
        with self._lock:
            self.asked["delete"] += 1
            self._break(done=False)
            for key in keys:
                check_record_key(key)
                self.values.pop(key, None)
            self._break(done=True)

    def _note(self, what: str, key: str) -> None:
        check_record_key(key)
        self.asked[what] += 1

    def _break(self, *, done: bool) -> None:
        if self.breaks is None or done != self.breaks_done:
            return
        self.breaks -= 1
        if self.breaks < 0:  # and so does every later one: who died asks no more
            raise Broken
