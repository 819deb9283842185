"""A store, an archive, a backend, a clock and a seat that ask the explorer for everything."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextvars import ContextVar

from tasks.framework.archives import Position
from tasks.framework.heartbeat import Heartbeat, Pacemaker
from tasks.framework.records import Final
from tasks.framework.seat import Seat
from tasks.framework.states import State
from tasks.framework.stores import Json
from tasks.framework.totals import Totals
from tests.protocol.ours.party import operate


class SeenStore:
    """A store of which every operation is a scheduling point; several deletions are several."""

    def add(self, key: str, value: Json) -> bool:
        return bool(operate("add", key, dict(value)))

    def put(self, key: str, value: Json) -> None:
        operate("put", key, dict(value))

    def get(self, key: str) -> Json | None:
        found: Json | None = operate("get", key)
        return found

    def delete(self, *keys: str, if_value: Json | None = None) -> None:
        for key in keys:
            if if_value is None:
                operate("delete", key)
            else:
                operate("delete_if", key, dict(if_value))

    def scan(self, prefix: str) -> Iterator[tuple[str, Json]]:
        return iter(operate("items", prefix))


class SeenArchive:
    """An archive of which every operation is a scheduling point."""

    def put(self, record: Final) -> None:
        operate("archive_put", record)

    def get(self, run_id: str) -> Final | None:
        found: Final | None = operate("archive_get", run_id)
        return found

    def list(
        self,
        *,
        task: str,
        owner: str | None = None,
        states: Collection[State] = (),
        after: Position | None = None,
        limit: int = 50,
    ) -> list[Final]:
        wanted = {"task": task, "owner": owner, "states": states, "after": after, "limit": limit}
        found: list[Final] = operate("archive_list", wanted)
        return found

    def count(
        self, *, task: str, since: float = -math.inf, before: float = math.inf, most: int
    ) -> Mapping[State, int]:
        raise NotImplementedError

    def delete(self, run_id: str) -> None:
        raise NotImplementedError

    def purge(self, *, task: str, before: float) -> int:
        raise NotImplementedError

    def totals(self, task: str) -> Totals:
        raise NotImplementedError


class SeenBackend:
    """A backend whose messages the explorer delivers, or loses."""

    def submit(self, message: Json, pool: str, due: float) -> str | None:
        call = operate("spawn", message["id"], due)
        return None if call is None else str(call)

    def cancel(self, call_id: str) -> None:
        operate("cancel", int(call_id))

    def terminate(self, call_id: str) -> None:
        operate("terminate", int(call_id))

    def alive(self, call_id: str) -> bool:
        return bool(operate("alive", int(call_id)))

    def nudge(self) -> None:
        """Nothing: bodies look when the explorer lets them."""


breathing: ContextVar[bool] = ContextVar("breathing", default=False)


def seen_clock() -> float:
    """Read the explorer's clock; it knows when that is for a sign of life."""
    return float(operate("breath" if breathing.get() else "now"))


class SeenSeat(Seat):
    """A seat in which a worker waits for the explorer."""

    def __init__(self, name: str, run_id: str) -> None:
        super().__init__(name)
        self._run_id = run_id

    def wait(self, seconds: float) -> bool:
        operate("wait", self._run_id, operate("now"))
        return False


pulse: ContextVar[Heartbeat] = ContextVar("pulse")
"""The heartbeat of the body in this thread."""

seat: ContextVar[Seat] = ContextVar("seat")
"""Where the body in this thread sits."""


class SeenPacemaker(Pacemaker):
    """Leaves it to the body to beat, so that the explorer decides when.

    Nothing is lost by that: a body does nothing to the store itself, and its heartbeat has come
    to rest before the remainder of `execute` goes on.
    """

    def begin(self, heartbeat: Heartbeat) -> None:
        pulse.set(heartbeat)
        seat.set(self._seat)

    def end(self) -> None:
        """Nothing: the body that would beat has ended."""


def beat() -> str | None:
    """Do what the heartbeat of the body in this thread has to do now."""
    breathing.set(True)
    try:
        return pulse.get().check(rung=False)
    finally:
        breathing.set(False)
