"""The Backend port: where runs are carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

Json = Mapping[str, Any]


class Backend(Protocol):
    """Delivers messages to `execute`, at least once each."""

    def submit(self, message: Json, pool: str, due: float) -> str | None:
        """Have ``execute(message)`` called in a process of that pool; return the call's id.

        Not before ``due``, in seconds since 1970. A backend that cannot hold a message until
        then does nothing and returns None: the tick sends it when it is due.
        """

    def cancel(self, call_id: str) -> None:
        """Drop the call if it has not been delivered. May come too late; that is no error."""

    def alive(self, call_id: str) -> bool:
        """Whether the call waits or runs. False: it is over, or lost with its process."""

    def nudge(self) -> None:
        """Have running bodies look at their records now rather than at their next beat."""


@runtime_checkable
class Terminating(Protocol):
    """A backend that can end a call together with the process that carries it out."""

    def terminate(self, call_id: str) -> None:
        """End a call that does not answer any more. May come too late; that is no error."""
