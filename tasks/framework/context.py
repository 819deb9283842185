"""The run in progress, for its own body: ``from tasks.framework import current``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from tasks.framework.errors import Interrupted, RetryRequested
from tasks.framework.message import round_trip
from tasks.framework.records import Claim, Run

MAX_LOG_LINES = 500
"""The oldest lines of a run's log give way to newer ones."""

MAX_LOG_LINE = 2000
"""Characters of one log line that are kept."""


class RunContext:
    """What a body reports, and what it has to hear; shared with the heartbeat's thread."""

    def __init__(self, claim: Claim, ring: Callable[[], object]) -> None:
        self.job = claim.job
        self.stop_reason: str | None = None
        self._run = claim.run
        self._ring = ring
        self._lock = threading.Lock()
        self._dirty = False
        self.started = time.monotonic()

    @property
    def attempt(self) -> int:
        """Which attempt this is; the first is 1."""
        return self._run.attempt

    @property
    def dirty(self) -> bool:
        """Whether there is something that was not written yet."""
        return self._dirty

    def progress(self, meta: dict[str, Any]) -> None:
        """Merge into what is known."""
        checked = round_trip(meta, "progress")
        with self._lock:
            self._run = replace(self._run, meta={**self._run.meta, **checked})
            self._dirty = True
        self._ring()

    def keep(self, values: dict[str, Any]) -> None:
        """Merge into what the attempts behind this one will know, too."""
        checked = round_trip(values, "kept")
        with self._lock:
            self._run = replace(self._run, kept={**self._run.kept, **checked})
            self._dirty = True
        self._ring()

    def log(self, line: str) -> None:
        """Append a line, stamped with the time of day in UTC."""
        stamped = f"[{datetime.now(UTC):%H:%M:%S}] {line[:MAX_LOG_LINE]}"
        with self._lock:
            logs = [*self._run.logs, stamped][-MAX_LOG_LINES:]
            self._run = replace(self._run, logs=logs)
            self._dirty = True
        self._ring()

    def take(self, now: float) -> Run:
        """Return the record to write now."""
        with self._lock:
            self._dirty = False
            self._run = replace(self._run, beat=now)
            return self._run

    def peek(self) -> Run:
        """Return what is known, as it would be written."""
        with self._lock:
            return self._run

    def checkpoint(self) -> None:
        """Raise `Interrupted` if the body has to stop."""
        if self.stop_reason:
            raise Interrupted(self.stop_reason)


running: ContextVar[RunContext | None] = ContextVar("running", default=None)


class Current:
    """A proxy to the run in progress in this thread. Outside of one it reports to nobody."""

    @property
    def id(self) -> str | None:
        """The run's id, or None outside of a run."""
        context = running.get()
        return context.job.id if context else None

    @property
    def attempt(self) -> int:
        """Which attempt this is; the first is 1, and 0 is no run at all."""
        context = running.get()
        return context.attempt if context else 0

    @property
    def created(self) -> float | None:
        """When the run was sent, in seconds since 1970, or None outside of a run."""
        context = running.get()
        return context.job.created if context else None

    @property
    def headers(self) -> dict[str, Any]:
        """The headers that the run was sent with."""
        context = running.get()
        return dict(context.job.headers) if context else {}

    @property
    def kept(self) -> dict[str, Any]:
        """What this attempt and those before it have kept."""
        context = running.get()
        return dict(context.peek().kept) if context else {}

    def retry(self, *, after: float | None = None, reason: str = "") -> NoReturn:
        """End this attempt and have another one made.

        Args:
            after: seconds until then; by the task's own policy if absent.
            reason: what the run fails with if its policy allows no further retry.

        Raises:
            RetryRequested: always; it must leave the body.
        """
        raise RetryRequested(reason or "another attempt was asked for", after)

    def progress(self, **meta: Any) -> None:
        """Merge into ``meta``. Cheap: written by another thread, a few times a second at most."""
        context = running.get()
        if context:
            context.checkpoint()
            context.progress(meta)

    def keep(self, **values: Any) -> None:
        """Merge into ``kept``: unlike progress, it goes on from attempt to attempt."""
        context = running.get()
        if context:
            context.keep(values)

    def log(self, line: str) -> None:
        """Append a line to the run's log."""
        context = running.get()
        if context:
            context.log(line)

    def checkpoint(self) -> None:
        """Raise `Interrupted` if the run was revoked, is out of time, or must be handed back.

        Bodies in worker processes are interrupted anyway; elsewhere this is how they hear of it.
        """
        context = running.get()
        if context:
            context.checkpoint()


current = Current()
