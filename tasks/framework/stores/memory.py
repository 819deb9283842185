"""Records in a dictionary: for the eager backend and for tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tasks.framework.stores import Json


class MemoryStore:
    """A store for one process. Values round-trip through JSON, as everywhere else."""

    def __init__(self) -> None:
        self._records: dict[str, str] = {}
        self._lock = threading.Lock()
        self._changes = 0

    def add(self, key: str, value: Json) -> bool:
        """Store only if absent."""
        text = _dump(value)
        with self._lock:
            self._changes += 1
            return self._records.setdefault(key, text) is text

    def put(self, key: str, value: Json) -> None:
        """Store, replacing what was there."""
        text = _dump(value)
        with self._lock:
            self._changes += 1
            self._records[key] = text

    def get(self, key: str) -> Json | None:
        """Return the value, or None."""
        text = self._records.get(key)
        return _load(text) if text is not None else None

    def delete(self, *keys: str, if_value: Json | None = None) -> None:
        """Remove them, with ``if_value`` only if that is their value."""
        with self._lock:
            self._changes += 1
            for key in keys:
                if if_value is None or self._records.get(key) == _dump(if_value):
                    self._records.pop(key, None)

    def scan(self, prefix: str) -> Iterator[tuple[str, Json]]:
        """Yield every record under the prefix, as it was when the scan began."""
        with self._lock:
            found = sorted(item for item in self._records.items() if item[0].startswith(prefix))
        return iter([(key, _load(text)) for key, text in found])

    @contextmanager
    def observed(self) -> Iterator[Callable[[], int]]:
        """Give how often something was written or removed."""
        yield lambda: self._changes


def _dump(value: Json) -> str:
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"))


def _load(text: str) -> Json:
    value: Json = json.loads(text)
    return value
