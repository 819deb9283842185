"""What can be said instead of doing what was asked of a job."""

from __future__ import annotations

from collections.abc import Sequence


class JobNotFound(LookupError):
    """No job has this id, or its record has been deleted."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id!r}")
        self.job_id = job_id


class JobNotEnded(Exception):
    """The job waits or runs, and what was asked is for ended ones."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id!r} has not ended: wait for it, or cancel it")
        self.job_id = job_id


class JobLimitReached(Exception):
    """The user has as many unfinished jobs as allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"this user already has {limit} unfinished jobs: wait for one to finish")
        self.limit = limit


class QueueFull(Exception):
    """As many jobs wait for a worker as may."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} jobs already wait for a worker: send this one again later")
        self.limit = limit


class InputsGone(Exception):
    """Input files of an earlier job, by their ``names``, are not kept any more."""

    def __init__(self, names: Sequence[str]) -> None:
        listed = ", ".join(map(repr, names))
        super().__init__(f"these input files are gone: {listed}; submit the job with them again")
        self.names = tuple(names)


class InvalidCursor(ValueError):
    """A cursor that no listing gave out."""

    def __init__(self) -> None:
        super().__init__("not a cursor of this listing: use the value of 'next' as it was given")


class KeyReused(Exception):
    """The idempotency key belongs to another request of this caller."""

    def __init__(self) -> None:
        super().__init__("this idempotency key was sent with another request: use a new one")


class KeyInUse(Exception):
    """The first request with this idempotency key is still being answered."""

    def __init__(self) -> None:
        super().__init__("the first request with this idempotency key is still in hand: wait")
