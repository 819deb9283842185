"""Real code in a thread of its own, which stands still before every operation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.protocol.model.actor import Actor
from tests.protocol.model.terms import Op

_here = threading.local()


class Died(BaseException):
    """The process is gone: no code of ours may catch this, and nothing is written after it."""


class Party:
    """Behaves like a generator of operations: one thread runs at a time, its own or ours."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._theirs, self._ours = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._op: Op = ()
        self._value: Any = None
        self._error: BaseException | None = None
        self._dead = self._over = False
        self.history: list[Any] = []

    def send(self, value: Any, /) -> Op:
        """Hand over the result of the last operation; return the next. StopIteration: over."""
        self.history.append(repr(value))
        self._value = value
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._theirs.release()
        self._ours.acquire()
        if self._error:
            raise self._error
        if self._over:
            raise StopIteration
        return self._op

    def close(self) -> None:
        """Let it die where it stands."""
        self._dead = True
        if not self._over:
            self._theirs.release()
            self._ours.acquire()
        self._thread.join()

    def operate(self, *op: Any) -> Any:
        """Stand before an operation until somebody has carried it out; return its result."""
        if self._dead:
            raise Died
        self._op = op
        self._ours.release()
        self._theirs.acquire()
        if self._dead:
            raise Died
        return self._value

    def _run(self) -> None:
        _here.party = self
        try:
            self._act()
        except Died:
            pass
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is seen
            self._error = error
        self._over = True
        self._ours.release()


class OurActor(Actor):
    """An actor whose steps are our code's. What it knows is what it has been told."""

    def __init__(self, name: str, act: Callable[[], object]) -> None:
        self._party = Party(act)
        super().__init__(name, self._party)

    def state(self) -> str:
        return repr([self.name, self.knew, self.op, self._party.history])


def operate(*op: Any) -> Any:
    """Stand before an operation, in the thread of a party."""
    party: Party = _here.party
    return party.operate(*op)
