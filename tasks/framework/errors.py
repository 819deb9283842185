"""Everything the framework raises.

TasksError
├── NotConfigured      no runtime was configured in this process
├── TaskNotFound       a message names a task that was never declared
├── NotSerializable    an argument or result is not JSON
├── IdTaken            the id is in use for another request
├── LimitReached       the owner has as many unfinished runs as allowed
├── RecordsUnavailable where records are kept does not answer just now
└── RunError           raised by `AsyncResult`
    ├── UnknownRun     nothing is known of this id
    ├── RunUnfinished  it has not ended, so it cannot be sent again or forgotten
    ├── RunFailed      the body raised, ran out of time, or its worker was lost
    ├── RunRevoked     somebody revoked it
    ├── RunExpired     it waited longer than allowed
    └── ResultTimeout  it did not end within the time given to `get`

Interrupted and RetryRequested are no errors but a `BaseException` each: the first is raised
inside a body that has to stop, the second by one that asks for another attempt.
"""

from __future__ import annotations


class TasksError(Exception):
    """Base of everything the framework raises on purpose."""


class NotConfigured(TasksError):
    """No runtime was configured in this process: call `tasks.framework.configure` first."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class TaskNotFound(TasksError):
    """A message names a task that this process does not know."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no task is declared as {name!r}: import the module that declares it")
        self.name = name


class NotSerializable(TasksError):
    """A value that has to travel is not JSON."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path} {reason}: send finite numbers, strings, booleans, None, and lists and "
            "dictionaries of them, with string keys"
        )
        self.path = path


class IdTaken(TasksError):
    """A task id was given twice, with different requests."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"id {run_id!r} already belongs to another request: choose a new id")
        self.run_id = run_id


class LimitReached(TasksError):
    """The owner already has as many unfinished runs of this task as allowed."""

    def __init__(self, task: str, owner: str, limit: int) -> None:
        super().__init__(
            f"{owner!r} already has {limit} unfinished runs of {task}: wait for one to end"
        )
        self.limit = limit


class RecordsUnavailable(TasksError):
    """Where records are kept did not answer, or not sensibly, for as long as that was tried."""


class RunError(TasksError):
    """A run is not in the state that was asked for."""

    def __init__(self, run_id: str, message: str) -> None:
        super().__init__(f"run {run_id}: {message}")
        self.run_id = run_id


class UnknownRun(RunError):
    """Nothing is known of this id: it was never sent, or its record has been deleted."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "never sent, or its record has been deleted")


class RunUnfinished(RunError):
    """The run has not ended: it cannot be sent again, or forgotten, before it has."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "has not ended yet; revoke it first, or wait")


class RunFailed(RunError):
    """The run failed; carries the remote error's type, message, details and traceback text."""

    def __init__(self, run_id: str, error: object) -> None:
        record = error if isinstance(error, dict) else {}
        self.type: str = record.get("type", "Error")
        self.message: str = record.get("message", "")
        self.details: dict[str, object] = record.get("details") or {}
        self.traceback: str = record.get("traceback", "")
        super().__init__(run_id, f"{self.type}: {self.message}")


class RunRevoked(RunError):
    """The run was revoked before it could end by itself."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "revoked")


class RunExpired(RunError):
    """The run was not started before its deadline."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, "expired before it was started")


class ResultTimeout(RunError):
    """The run had not ended when the time to wait for it was over."""

    def __init__(self, run_id: str, seconds: float) -> None:
        super().__init__(run_id, f"not finished after {seconds:g} s; it goes on")


class RetryRequested(BaseException):
    """The body asked for another attempt; raised by `current.retry`."""

    def __init__(self, reason: str, after: float | None) -> None:
        super().__init__(reason)
        self.after = after


class Interrupted(BaseException):
    """The body has to stop now: it was revoked, is out of time, or its process is stopping.

    A `BaseException`, so that ``except Exception`` in a body does not swallow it.
    """
