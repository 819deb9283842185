"""Tells whoever sends traffic here whether a job sent now would be carried out soon."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from flask import Blueprint, Response, jsonify

from comfy_runner.bucket import Bucket
from tasks.operations import Figures

_log = logging.getLogger(__name__)

KEPT_SECONDS = 1.0
"""How long an answer is given again: asking costs next to nothing, however often it is done."""

RETRY_SECONDS = 5


class NotReady(Exception):
    """A check found out why not; the message is for the log only."""


PROBE = "ready/probe"
"""The key that a bucket is asked for; there need be no such file."""

Check = Callable[[], object]
"""Returns if all is well, and raises whatever it likes if not."""


class Operations(Protocol):
    """What is asked of `tasks.operations`, the module that answers outside of tests."""

    def figures(self) -> Figures:
        """Return the figures of all jobs."""

    def queued(self, most: int) -> int:
        """Count the jobs that wait, up to ``most``."""

    def workers(self) -> int | None:
        """Count the workers, if anybody can tell."""

    def ask_store(self) -> None:
        """Raise something if the records cannot be read."""


def checks(operations: Operations, bucket: Bucket, most_queued: int) -> dict[str, Check]:
    """Return what has to be well, by name, so that a job sent now is carried out soon."""

    def worker() -> None:
        if operations.workers() == 0:
            raise NotReady("no worker process takes jobs")

    def queue() -> None:
        if operations.queued(most_queued + 1) > most_queued:
            raise NotReady(f"more than {most_queued} jobs wait (READY_MAX_QUEUED)")

    return {
        "store": operations.ask_store,
        # a bucket that does not exist answers as one without the file does
        "bucket": lambda: bucket.stored_at(PROBE),
        "worker": worker,
        "queue": queue,
    }


@dataclass
class Readiness:
    """Looks at everything that a job needs, once a second at most, one request at a time."""

    checks: Mapping[str, Check]
    clock: Callable[[], float] = time.monotonic
    _found: dict[str, bool] = field(default_factory=dict)
    _looked: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def blueprint(self) -> Blueprint:
        """Return the route."""
        blueprint = Blueprint("readiness", __name__)
        blueprint.get("/ready")(self.ready)
        return blueprint

    def ready(self) -> Response:
        """Answer 200 if every check is fine, and 503 if not, naming each and nothing more."""
        found = self.look()
        fine = all(found.values())
        told = {name: "ok" if well else "failed" for name, well in found.items()}
        response = jsonify({"status": "ready" if fine else "not ready", "checks": told})
        if not fine:
            response.status_code = 503
            response.headers["Retry-After"] = str(RETRY_SECONDS)
        return response

    def look(self) -> Mapping[str, bool]:
        """Return which checks are fine; while somebody else looks, what was found before."""
        known = self._found
        if not self._lock.acquire(blocking=not known):
            return known
        try:
            if not self._found or self.clock() - self._looked >= KEPT_SECONDS:
                self._found = {name: self._passes(name) for name in self.checks}
                self._looked = self.clock()
            return self._found
        finally:
            self._lock.release()

    def _passes(self, name: str) -> bool:
        try:
            self.checks[name]()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a store, it is wrong
            if self._found.get(name, True):  # told once, not every second
                _log.warning("not ready: %s: %s", name, error or type(error).__name__)
            return False
        if not self._found.get(name, True):
            _log.info("ready again: %s", name)
        return True
