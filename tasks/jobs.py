"""A job is one run of `run_workflow` as its owner sees it: submit, get, list, cancel."""

from __future__ import annotations

import base64
import binascii
import enum
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from comfy_runner.graph import Graph
from comfy_runner.media import Media
from comfy_runner.outputs import Output
from comfy_runner.work import Work
from settings import Settings
from tasks.framework import AsyncResult, LimitReached, State, runtime
from tasks.framework.archives import Position
from tasks.framework.message import check_id
from tasks.framework.reading import Reading, listing, read
from tasks.workflow import run_workflow


class Status(enum.StrEnum):
    """Where a job stands, in the words of the API."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


STATUS_OF = {
    State.SCHEDULED: Status.QUEUED,
    State.QUEUED: Status.QUEUED,
    State.STARTED: Status.RUNNING,
    State.RETRYING: Status.RUNNING,
    State.SUCCEEDED: Status.COMPLETED,
    State.FAILED: Status.FAILED,
    State.EXPIRED: Status.FAILED,
    State.REVOKED: Status.CANCELLED,
}

CODE_OF = {"RunTimeout": "timeout", "WorkerLost": "worker_lost"}
"""The codes of what ends a job without ComfyUI having a say."""


class JobNotFound(LookupError):
    """No job has this id, or its record has been deleted."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"there is no job {job_id!r}")
        self.job_id = job_id


class JobLimitReached(Exception):
    """The user has as many unfinished jobs as allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"this user already has {limit} unfinished jobs: wait for one to finish")
        self.limit = limit


class InvalidCursor(ValueError):
    """A cursor that no listing gave out."""

    def __init__(self) -> None:
        super().__init__("not a cursor of this listing: use the value of 'next' as it was given")


@dataclass(frozen=True)
class JobError:
    """Why a job did not complete; the node is named where one is to blame."""

    code: str
    message: str
    node_id: str | None = None
    node_type: str | None = None
    node_title: str | None = None


@dataclass(frozen=True)
class Job:
    """Everything that is known of a job. ``progress`` is in per cent, times are in UTC.

    ``outputs`` grow while the job runs, and those of a job that failed later stay. ``error`` is
    set once the job has ended in any way but well.
    """

    job_id: str
    status: Status
    progress: int
    current_node: str | None
    current_step: int | None
    total_steps: int | None
    nodes_done: int
    nodes_total: int
    outputs: tuple[Output, ...]
    logs: tuple[str, ...]
    error: JobError | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    user_id: str | None

    @classmethod
    def of(cls, reading: Reading) -> Self:
        """Read a job out of its run."""
        meta = reading.meta
        result = reading.result or {}
        status = STATUS_OF[reading.state]
        # a prompt that has succeeded still has files to store: 100 is for the job as a whole
        most = 100 if status is Status.COMPLETED else 99
        return cls(
            job_id=reading.id,
            status=status,
            progress=min(meta.get("progress", 0), most),
            current_node=meta.get("current_node"),
            current_step=meta.get("current_step"),
            total_steps=meta.get("total_steps"),
            nodes_done=meta.get("nodes_done", 0),
            nodes_total=meta.get("nodes_total", 0),
            outputs=tuple(map(Output.from_json, result.get("outputs") or meta.get("outputs", ()))),
            logs=tuple(reading.logs),
            error=_error(reading),
            created_at=_moment(reading.created),
            started_at=_moment(reading.started) if reading.started else None,
            completed_at=_moment(reading.ended) if reading.ended else None,
            user_id=reading.owner,
        )


@dataclass(frozen=True)
class Page:
    """Some jobs, newest first; ``next`` is the cursor of the page behind, if there is one."""

    jobs: tuple[Job, ...]
    next: str | None


def submit(
    graph: Graph,
    *,
    user_id: str | None,
    settings: Settings,
    media: Sequence[Media] = (),
    temp_outputs: bool = False,
) -> Job:
    """Queue a checked graph with its input files.

    Args:
        graph: the workflow in API format, every override applied.
        user_id: whose job it is; the limit of unfinished jobs is per user.
        settings: the limits that hold.
        media: input files, stored or to be fetched, that the graph names.
        temp_outputs: also keep what nodes only showed, beside what they saved.

    Raises:
        JobLimitReached: the user has ``max_active_jobs_per_user`` unfinished jobs.
    """
    work = Work(graph, tuple(media), temp_outputs)
    try:
        result = run_workflow.apply_async(
            (work.to_json(),),
            owner=user_id,
            limit=settings.max_active_jobs_per_user,
            expires=settings.queued_timeout_seconds,
            timeout=settings.job_timeout_seconds,
        )
    except LimitReached as error:
        raise JobLimitReached(error.limit) from error
    return get(result.id)


def get(job_id: str) -> Job:
    """Read one job.

    Raises:
        JobNotFound: there is none with that id.
    """
    return Job.of(_read(job_id))


def cancel(job_id: str) -> Job:
    """Have a job not start, or stop; one that has ended stays as it is. May be repeated.

    Raises:
        JobNotFound: there is none with that id.
    """
    _read(job_id)
    AsyncResult[Any](job_id).revoke()
    return get(job_id)


def list_jobs(
    *,
    statuses: Collection[Status] = (),
    user_id: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Page:
    """List jobs, newest first. No statuses means all.

    Raises:
        InvalidCursor: ``after`` is not the ``next`` of an earlier page.
    """
    found = listing(
        runtime().protocol,
        task=run_workflow.name,
        owner=user_id,
        states=[state for state, status in STATUS_OF.items() if status in statuses],
        after=_position(after) if after else None,
        limit=limit + 1,
    )
    shown = found[:limit]
    more = _cursor(shown[-1].position) if len(found) > limit else None
    return Page(tuple(Job.of(reading) for reading in shown), more)


def _read(job_id: str) -> Reading:
    reading = read(runtime().protocol, job_id)
    if reading is None or reading.record.task != run_workflow.name:
        raise JobNotFound(job_id)
    return reading


def _error(reading: Reading) -> JobError | None:
    if reading.state is State.EXPIRED:
        return JobError("expired", "no worker was free in time; send the job again")
    if reading.state is State.REVOKED:
        return JobError("cancelled", "the job was cancelled on request")
    error: Mapping[str, Any] | None = reading.error
    if not error:
        return None
    details = error.get("details") or {}
    code = details.get("code") or CODE_OF.get(error["type"])
    if code is None:  # a fault of ours: its text may hold what is no client's business
        return JobError("internal_error", "the worker failed unexpectedly; see the server's log")
    node = (details.get(name) for name in ("node_id", "node_type", "node_title"))
    return JobError(code, error["message"], *node)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _position(cursor: str) -> Position:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created, run_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        return float(created), check_id(run_id)
    except (ValueError, TypeError, binascii.Error):
        raise InvalidCursor from None
