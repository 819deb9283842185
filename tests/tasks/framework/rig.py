"""A protocol to play with: a clock that is moved by hand and a backend that is emptied by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tasks.framework import Protocol, Runtime, State, Timing, configure
from tasks.framework.archives import Archive
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.execute import execute
from tasks.framework.reading import read
from tasks.framework.records import Claim, Job
from tasks.framework.stores import Json, Store
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.task import pool_of
from tasks.framework.tick import tick


@dataclass
class HandClock:
    """A clock that stands still until it is moved."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class HandBackend:
    """Keeps messages until a test delivers, loses or cancels them."""

    clock: HandClock = field(default_factory=HandClock)
    waiting: dict[str, Json] = field(default_factory=dict)
    pools: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    sent: int = 0

    def submit(self, message: Json, pool: str, due: float) -> str | None:
        if due > self.clock():
            return None  # as on Modal: the tick has to remember
        self.sent += 1
        self.waiting[str(self.sent)] = message
        self.pools.append(pool)
        return str(self.sent)

    def cancel(self, call_id: str) -> None:
        self.cancelled.append(call_id)
        self.waiting.pop(call_id, None)

    def alive(self, call_id: str) -> bool:
        return call_id in self.waiting

    def nudge(self) -> None:
        pass

    def lose_all(self) -> None:
        self.waiting.clear()


class Interleaved(MemoryStore):
    """A store on which something happens, once, just before one key is added or read."""

    def __init__(self, operation: str, happening: Callable[[], object]) -> None:
        super().__init__()
        self._operation, self._happening = operation, happening

    def _before(self, operation: str) -> None:
        if operation == self._operation:
            self._operation = ""
            self._happening()

    def add(self, key: str, value: Json) -> bool:
        self._before(f"add {key}")
        return super().add(key, value)

    def get(self, key: str) -> Json | None:
        self._before(f"get {key}")
        return super().get(key)


@dataclass
class Rig:
    """A protocol with everything around it in reach of the test."""

    store: Store = field(default_factory=MemoryStore)
    archive: Archive = field(default_factory=MemoryArchive)
    clock: HandClock = field(default_factory=HandClock)
    backend: HandBackend = field(default_factory=HandBackend)
    timing: Timing = field(default_factory=lambda: Timing(stale=5, grace=5, beat=0.05, report=0))

    def __post_init__(self) -> None:
        self.backend.clock = self.clock
        self.protocol = self.protocol_on(self.store)
        self.runtime = Runtime(self.protocol)

    def protocol_on(self, store: Store) -> Protocol:
        """Return the same protocol over another view of the store."""
        return Protocol(store, self.archive, self.backend, self.clock, pool_of, self.timing)

    @contextmanager
    def configured(self) -> Iterator[Rig]:
        """Make it this process's runtime during the block."""
        configure(self.runtime)
        try:
            yield self
        finally:
            self.runtime.close()
            configure(None)

    def deliver_all(self) -> None:
        """Carry out every waiting message, and those that follow from them."""
        for _ in range(100):
            if not self.backend.waiting:
                return
            call, message = next(iter(self.backend.waiting.items()))
            execute(message)
            self.backend.waiting.pop(call, None)
        raise AssertionError("messages beget messages without end")

    def let_time_pass(self, rounds: int = 6) -> None:
        """Move past every grace a few times, ticking and delivering."""
        for _ in range(rounds):
            self.clock.now += 10
            tick(self.protocol)
            self.deliver_all()

    def left(self) -> list[str]:
        """Return the keys that should not be there once all is over."""
        return [
            key
            for key, value in self.store.scan("")
            if not key.startswith("final:") and not value.get("void")
        ]


def request(run_id: str = "J", **changes: Any) -> Job:
    """Return a submission as `Task.apply_async` makes it."""
    values: dict[str, Any] = {"task": "t", "created": 1_000_000.0, "due": 0.0, "digest": "d"}
    return Job(id=run_id, **{**values, **changes})


def no_wait() -> None:
    """Fail where a claim should not have to wait for another attempt."""
    raise AssertionError("nothing to wait for")


def claim(rig: Rig, worker: str = "w", wait: Callable[[], None] = no_wait) -> Claim | None:
    """Claim the next attempt of run J."""
    return rig.protocol.claim("J", worker=worker, wait=wait)


def state(rig: Rig, run_id: str = "J") -> State | None:
    """Read a run's state, or None when it is unknown."""
    reading = read(rig.protocol, run_id)
    return reading.state if reading else None
