"""Runs carried out by the containers of a Modal app: a message is a spawned call."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import modal
from grpclib.exceptions import StreamTerminatedError
from modal import exception

from tasks.framework.backends import Json
from tasks.framework.plan import ADVANCE

log = logging.getLogger(__name__)

NO_GPU = "none"
"""What a run asks for as ``gpu`` that needs none."""

CANNOT_TELL = (
    exception.ServiceError,
    exception.InternalError,
    exception.ResourceExhaustedError,
    exception.ConnectionError,
    exception.AuthError,
    exception.PermissionDeniedError,
    exception.ConflictError,
    exception.DataLossError,
    exception.UnimplementedError,
    exception.ClientClosed,
    StreamTerminatedError,
)
"""Errors of asking. Modal's client makes its own of those of the network."""

FAILURES = (exception.Error, StreamTerminatedError)


@dataclass(frozen=True)
class Place:
    """Where a message goes: a class's ``run`` on such a GPU, or a Function."""

    name: str
    is_class: bool = False
    gpu: str | None = None


def function_name(task: str) -> str:
    """Return the name of a task's Function: Modal looks up no name that has a dot."""
    return task.replace(".", "-")


ANY_FUNCTION = Place(function_name(ADVANCE.name))
"""Takes the message of a task that has no Function any more: it fails there and says so."""


class ModalBackend:
    """Spawns messages and asks what became of the calls.

    Modal cannot hold a message until it is due, and may refuse one (its queue is full) or not be
    reached: all that is left to the tick, as the records say what has to be sent.
    """

    def __init__(
        self,
        app: str,
        *,
        classes: Mapping[str, str],
        hydrated: Mapping[str, Any] | None = None,
        client: modal.Client | None = None,
    ) -> None:
        """Send to the app of that name.

        Args:
            app: the deployed app.
            classes: the class that holds a pool's worker, by pool; ``{pool}-cpu`` names the one
                for runs that ask for no GPU. The tasks of all other pools have Functions.
            hydrated: handles that this process has, by the name of class or Function; the
                others are looked up.
            client: made from the environment if there is none.
        """
        self._app, self._client = app, client
        self._classes, self._hydrated = classes, hydrated or {}
        self._handles: dict[Place, Any] = {}

    # -- the port --------------------------------------------------------------------------

    def submit(self, message: Json, pool: str, due: float) -> str | None:
        """Spawn the message if it is due. None: the tick has to do it."""
        if due > time.time():
            return None
        place = self._place(message, pool)
        try:
            return self._spawn(place, message)
        except exception.NotFoundError:
            return self._stray(place, message)
        except FAILURES as error:
            _log_unsent(message, error)
            return None

    def cancel(self, call_id: str) -> None:
        """Drop the call; a body that has begun is interrupted, if it has not ended by then."""
        self._cancel(call_id, terminate=False)

    def terminate(self, call_id: str) -> None:
        """End the call and its container, which does not answer any more."""
        self._cancel(call_id, terminate=True)

    def alive(self, call_id: str) -> bool:
        """Whether the call waits or runs; True also while Modal cannot be asked.

        A wrong True makes a run wait for the next tick, a wrong False has it delivered twice.
        """
        try:
            self._call(call_id).get(timeout=0)
        except exception.OutputExpiredError:
            return False  # it ended more than seven days ago
        except TimeoutError as error:  # pending is a bare one; what a container raised has words
            return not error.args
        except CANNOT_TELL as error:
            log.warning("call %s cannot be asked for: %r", call_id, error)
            return True
        except Exception as error:  # noqa: BLE001 - whatever a container raised, or how it was lost
            log.info("call %s ended with %r", call_id, error)
        return False

    def nudge(self) -> None:
        """Nothing reaches a container sooner than its own next look at the records."""

    def workers(self, pool: str) -> int | None:
        """Count the containers that hold the pool's worker, on the GPUs an app names itself.

        None: the pool has no class, or Modal cannot be asked.
        """
        names = [name for key, name in self._classes.items() if key in {pool, f"{pool}-cpu"}]
        if not names:
            return None
        try:
            handles = [self._handle(Place(name, is_class=True)) for name in names]
            return sum(int(each.get_current_stats().num_total_runners) for each in handles)
        except FAILURES as error:
            log.warning("the containers of %s cannot be counted: %r", pool, error)
            return None

    # -- Modal -----------------------------------------------------------------------------

    def _place(self, message: Json, pool: str) -> Place:
        name = self._classes.get(pool)
        if name is None:
            return Place(function_name(message["task"]))
        gpu: str | None = message.get("resources", {}).get("gpu")
        if gpu == NO_GPU:
            return Place(self._classes.get(f"{pool}-cpu", name), is_class=True)
        return Place(name, is_class=True, gpu=gpu)

    def _spawn(self, place: Place, message: Json) -> str:
        try:
            call = self._handle(place).spawn(dict(message))
        except exception.NotFoundError:
            self._handles.pop(place, None)  # it may be deployed by the next time
            raise
        return str(call.object_id)

    def _stray(self, place: Place, message: Json) -> str | None:
        """Say that the place is missing; let the run fail, if it can be known to."""
        log.error("app %s has no %s: deploy it (modal deploy)", self._app, place.name)
        if place.is_class:
            return None
        try:
            return self._spawn(ANY_FUNCTION, message)
        except FAILURES as error:
            _log_unsent(message, error)
            return None

    def _handle(self, place: Place) -> Any:
        """Return what can be spawned; handles are kept, as looking one up is a call as well."""
        if place not in self._handles:
            self._handles[place] = self._look_up(place)
        return self._handles[place]

    def _look_up(self, place: Place) -> Any:
        held = self._hydrated.get(place.name)
        if not place.is_class:
            return held or modal.Function.from_name(self._app, place.name, client=self._client)
        kind = held or modal.Cls.from_name(self._app, place.name, client=self._client)
        if place.gpu is not None:
            kind = kind.with_options(gpu=place.gpu)
        return kind().run

    def _call(self, call_id: str) -> modal.FunctionCall[Any]:
        return modal.FunctionCall.from_id(call_id, client=self._client)

    def _cancel(self, call_id: str, *, terminate: bool) -> None:
        try:
            self._call(call_id).cancel(terminate_containers=terminate)
        except FAILURES as error:  # how the run ended is on record already
            log.info("call %s could not be cancelled: %r", call_id, error)


def _log_unsent(message: Json, error: Exception) -> None:
    run_id = message["id"]
    log.warning("run %s is sent later: %r", run_id, error, extra={"job_id": run_id})
