"""The catalogue of the workers' ComfyUI: published by a worker, current for whoever validates."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comfy_runner.bucket import Bucket, BucketError
from comfy_runner.catalog import Catalog
from comfy_runner.errors import StorageFailed
from tasks.framework import runtime

KEY = "catalogue:current"
"""Its first part is none that names a run, so that the sweep passes it by."""

PREFIX = "catalogues"
LOOK_SECONDS = 3.0

logger = logging.getLogger(__name__)


def publish(catalog: Catalog, bucket: Bucket) -> None:
    """Make it the current one. Of two workers the last one counts; the same again is cheap.

    Raises:
        StorageFailed: the bucket did not take it.
    """
    digest = catalog.digest
    if bucket.stored_at(_key(digest)) is None:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "catalogue.json.gz"
            path.write_bytes(catalog.to_bytes())
            name = f"{digest}.json.gz"
            bucket.put(_key(digest), path, content_type="application/gzip", filename=name)
    # the file first: a digest is never told before its content is there
    runtime().protocol.store.put(KEY, {"digest": digest})


def current(bucket: Bucket) -> Catalog | None:
    """Return the catalogue that was last published; None if there is none, or none to be had.

    Cheap: the store is asked at most every three seconds, the bucket once for each content.
    """
    return _CURRENT.get(bucket)


@dataclass
class Current:
    """The current catalogue as this process knows it; any number of threads may ask."""

    clock: Callable[[], float] = time.monotonic
    _looked: float | None = None
    _owner: object = None
    _digest: str | None = None
    _catalog: Catalog | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, bucket: Bucket) -> Catalog | None:
        """Return it, looked up anew when the last look was too long ago, or at another store.

        Whoever asks while another looks gets what was known before, if anything was.
        """
        if not self._lock.acquire(blocking=self._looked is None):
            return self._catalog
        try:
            self._refresh(bucket)
            return self._catalog
        finally:
            self._lock.release()

    def _refresh(self, bucket: Bucket) -> None:
        store = runtime().protocol.store
        if self._owner is not store:
            self._looked = self._digest = self._catalog = None
        if self._looked is not None and self.clock() - self._looked < LOOK_SECONDS:
            return
        self._owner = store
        self._look(store.get(KEY), bucket)
        # only now: a bucket that hangs is not asked again by each who waited meanwhile
        self._looked = self.clock()

    def _look(self, told: Mapping[str, Any] | None, bucket: Bucket) -> None:
        digest = told["digest"] if told else None
        if digest == self._digest:
            return
        if digest is None:
            self._digest = self._catalog = None
            return
        try:
            self._catalog = _fetched(digest, bucket)
        except (BucketError, StorageFailed, ValueError) as error:
            # an older one would judge by nodes that are gone: without any, ComfyUI judges later
            self._digest = self._catalog = None
            logger.warning("the catalogue %s cannot be read: %s", digest, error)
            return
        self._digest = digest


_CURRENT = Current()


def _fetched(digest: str, bucket: Bucket) -> Catalog:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "catalogue.json.gz"
        bucket.fetch(_key(digest), path)
        return Catalog.from_bytes(path.read_bytes())


def _key(digest: str) -> str:
    return f"{PREFIX}/{digest}.json.gz"
