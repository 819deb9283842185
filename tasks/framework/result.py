"""A handle on one run: read it, wait for it, revoke it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

from tasks.framework.errors import (
    ResultTimeout,
    RunExpired,
    RunFailed,
    RunRevoked,
    RunUnfinished,
    UnknownRun,
)
from tasks.framework.plan import child_ids, revoke
from tasks.framework.reading import Reading, read
from tasks.framework.records import Final
from tasks.framework.runtime import runtime
from tasks.framework.sending import again
from tasks.framework.states import State

R = TypeVar("R")

FIRST_POLL, LAST_POLL = 0.0005, 0.25
"""How long `AsyncResult.get` sleeps between two reads, in seconds: each time longer."""


class AsyncResult(Generic[R]):
    """A handle on one run. Build it from an id anywhere; it holds no connection."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id

    def __repr__(self) -> str:
        return f"AsyncResult({self.id!r})"

    def read(self) -> Reading:
        """Read everything that is known now.

        Raises:
            UnknownRun: nothing is.
        """
        reading = read(runtime().protocol, self.id)
        if reading is None:
            raise UnknownRun(self.id)
        return reading

    @property
    def state(self) -> State:
        """The state, read now. Raises `UnknownRun`: an unknown id is never "pending"."""
        return self.read().state

    @property
    def meta(self) -> Mapping[str, Any]:
        """The newest progress that the body reported."""
        return self.read().meta

    @property
    def logs(self) -> list[str]:
        """The lines that the body logged."""
        return self.read().logs

    @property
    def error(self) -> Mapping[str, Any] | None:
        """What the body raised, as a record: type, message, details, traceback."""
        return self.read().error

    @property
    def children(self) -> list[AsyncResult[Any]]:
        """The runs that came out of this one so far: members of a chain or group, else links."""
        protocol, record = runtime().protocol, self.read().record
        whole = record if isinstance(record, Final) else protocol.job(self.id)
        whole = whole or self._final()  # it has ended just now
        return [AsyncResult(each) for each in child_ids(whole) if read(protocol, each)]

    def ready(self) -> bool:
        """Whether the run has ended."""
        return self.state.final

    def successful(self) -> bool:
        """Whether the run has ended well."""
        return self.state is State.SUCCEEDED

    def get(self, timeout: float) -> R:
        """Wait up to ``timeout`` seconds; return what the body returned.

        Raises:
            UnknownRun: nothing is known of this id.
            RunFailed: the run failed; carries the remote error.
            RunRevoked: it was revoked.
            RunExpired: it was not started in time.
            ResultTimeout: it has not ended yet.
        """
        until, pause = time.monotonic() + timeout, FIRST_POLL
        while not (reading := self.read()).state.final:
            left = until - time.monotonic()
            if left <= 0:
                raise ResultTimeout(self.id, timeout)
            time.sleep(min(pause, left))
            pause = min(pause * 1.3, LAST_POLL)
        return self._result(reading)

    def _result(self, reading: Reading) -> R:
        if reading.state is State.FAILED:
            raise RunFailed(self.id, reading.error)
        if reading.state is State.REVOKED:
            raise RunRevoked(self.id)
        if reading.state is State.EXPIRED:
            raise RunExpired(self.id)
        return cast(R, reading.result)

    def retry(self, *, limit: int | None = None) -> AsyncResult[R]:
        """Send what has ended again, as a new run; return that one.

        Raises:
            UnknownRun: nothing is known of this id.
            RunUnfinished: it has not ended.
            LimitReached: its owner has ``limit`` unfinished runs of the task.
        """
        protocol = runtime().protocol
        request = again(self._final(), protocol.clock())
        return AsyncResult(protocol.submit(request, limit=limit))

    def forget(self) -> None:
        """Drop the record of a run that has ended; its id is unknown from then on.

        Raises:
            UnknownRun: nothing is known of this id.
            RunUnfinished: it has not ended.
        """
        protocol = runtime().protocol
        protocol.finish(self._final())  # leaves nothing that would need the final
        protocol.archive.delete(self.id)
        protocol.store.delete(f"final:{self.id}")

    def _final(self) -> Final:
        record = self.read().record
        if not isinstance(record, Final):
            raise RunUnfinished(self.id)
        return record

    def revoke(self) -> bool:
        """Have it and its members not start, or stop. False if it is unknown or has ended."""
        return revoke(runtime().protocol, self.id)
