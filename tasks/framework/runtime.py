"""Which store, archive, backend and workers this process uses: chosen once, at its start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from tasks.framework.errors import NotConfigured
from tasks.framework.protocol import Protocol
from tasks.framework.watching import Watch
from tasks.framework.worker import Worker

W = TypeVar("W", bound=Worker)


@dataclass(frozen=True)
class Runtime:
    """Everything that differs between one machine, a test and Modal."""

    protocol: Protocol
    factories: Mapping[type[Worker], Callable[[], Worker]] = field(default_factory=dict)
    _workers: dict[type[Worker], Worker] = field(default_factory=dict)

    @cached_property
    def watch(self) -> Watch:
        """What wakes those who wait in this process for records to change."""
        return Watch(self.protocol.store)

    def worker(self, kind: type[W]) -> W:
        """Return this process's worker of that class, started on its first use."""
        held = self._workers.get(kind)
        if held is None:
            held = self.factories.get(kind, kind)()
            held.boot()
            held.wake()
            self._workers[kind] = held
        if not isinstance(held, kind):
            raise TypeError(f"the factory for {kind.__name__} made a {type(held).__name__}")
        return held

    def adopt(self, worker: Worker) -> None:
        """Use a worker that was started elsewhere, and close it at the end."""
        self._workers[type(worker)] = worker

    def close(self) -> None:
        """Close every worker that was started."""
        while self._workers:
            self._workers.popitem()[1].close()


_current: list[Runtime] = []


def configure(chosen: Runtime | None) -> None:
    """Choose the runtime of this process; None takes it back."""
    _current[:] = [chosen] if chosen else []


def runtime() -> Runtime:
    """Return the runtime of this process.

    Raises:
        NotConfigured: if none was chosen.
    """
    if not _current:
        raise NotConfigured
    return _current[0]
