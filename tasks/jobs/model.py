"""A job as its owner sees it: where it stands, what came of it, and why it ended badly."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from comfy_runner.outputs import Output
from tasks.framework import State
from tasks.framework.reading import Reading
from tasks.metering import Timings, Use
from tasks.webhook_target import WEBHOOK, Webhook

RETRY_OF = "retry_of"
"""The header of a run that says which job it does again."""


class Status(enum.StrEnum):
    """Where a job stands, in the words of the API."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
"""The statuses that never change."""

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
    set once the job has ended in any way but well. ``queue_position`` counts from 1, and like
    ``estimated_wait_seconds`` is known only of a queued job that was read by itself. ``cost`` is
    what an ended job had of a worker that has a price, or at least a name.
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
    queue_position: int | None = None
    estimated_wait_seconds: int | None = None
    retry_of: str | None = None
    webhook: Webhook | None = None
    timings: Timings = field(default_factory=Timings)
    cost: Use | None = None

    @property
    def ended(self) -> bool:
        """Whether the job is over, in whatever way."""
        return self.status in ENDED

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
            retry_of=reading.headers.get(RETRY_OF),
            webhook=Webhook.from_json(told) if (told := reading.headers.get(WEBHOOK)) else None,
            timings=Timings.of(reading),
            cost=use if (use := Use.of(reading)) and use.gpu else None,
        )


@dataclass(frozen=True)
class Page:
    """Some jobs, newest first; ``next`` is the cursor of the page behind, if there is one."""

    jobs: tuple[Job, ...]
    next: str | None


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
