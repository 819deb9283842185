"""A bucket that is opened when it is first used: what a memory snapshot may hold of one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from comfy_runner.bucket.port import Bucket


class LateBucket:
    """Stands for a bucket whose secrets are not to be known yet."""

    def __init__(self, open_now: Callable[[], Bucket]) -> None:
        self._open_now = open_now
        self._lock = threading.Lock()
        self._opened: Bucket | None = None

    @property
    def _bucket(self) -> Bucket:
        with self._lock:
            if self._opened is None:
                self._opened = self._open_now()
            return self._opened

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        """Store a copy of the file."""
        self._bucket.put(key, path, content_type=content_type, filename=filename)

    def fetch(self, key: str, path: Path) -> None:
        """Copy the file to `path`."""
        self._bucket.fetch(key, path)

    def stored_at(self, key: str) -> float | None:
        """Return when the file was last put."""
        return self._bucket.stored_at(key)

    def url(self, key: str, *, ttl_seconds: int) -> str:
        """Return a URL that fetches the file."""
        return self._bucket.url(key, ttl_seconds=ttl_seconds)

    def delete(self, prefix: str) -> None:
        """Delete all under the prefix."""
        self._bucket.delete(prefix)

    def purge(self, prefix: str, *, before: float) -> int:
        """Delete what is older."""
        return self._bucket.purge(prefix, before=before)
