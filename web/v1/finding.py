"""Jobs by the id in a URL, and the refusals that all routes of a job share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tasks.jobs import InputsGone, JobLimitReached, JobNotEnded, JobNotFound, QueueFull
from web.errors import ProblemError
from web.v1.earlier_outputs import JOB_ID

Answer = TypeVar("Answer")


def found(action: Callable[[str], Answer], job_id: str) -> Answer:
    """Return what `action` makes of the job; an id that no job can have is as unknown as any.

    Raises:
        ProblemError: 404, 409, 410, 429 or 503, as the action was refused.
    """
    if not JOB_ID.fullmatch(job_id):
        raise _unknown()
    try:
        return action(job_id)
    except JobNotFound as error:
        raise _unknown() from error
    except JobNotEnded as error:
        detail = "The job has not ended; wait for it, or cancel it with DELETE."
        raise ProblemError(409, "job_not_ended", detail) from error
    except InputsGone as error:
        named = ", ".join(map(repr, error.names))
        detail = f"Input files of the job are not kept any more: {named}; submit it with them."
        raise ProblemError(410, "inputs_gone", detail) from error
    except JobLimitReached as error:
        raise limit_reached(error) from error
    except QueueFull as error:
        raise queue_full(error) from error


def limit_reached(error: JobLimitReached) -> ProblemError:
    """Return the answer to a user who has as many active jobs as allowed."""
    detail = (
        f"This user already has {error.limit} active jobs, as many as are allowed at a time; "
        "wait for one to end, or cancel one."
    )
    return ProblemError(429, "job_limit_reached", detail, headers={"Retry-After": "5"})


def queue_full(error: QueueFull) -> ProblemError:
    """Return the answer while as many jobs wait as may."""
    detail = (
        f"{error.limit} jobs already wait for a worker, as many as are taken (MAX_QUEUED_JOBS); "
        "send this one again later."
    )
    return ProblemError(503, "queue_full", detail, headers={"Retry-After": "10"})


def _unknown() -> ProblemError:
    detail = "There is no job with this id; see GET /v1/jobs for those there are."
    return ProblemError(404, "job_not_found", detail)
