"""Looking at jobs: one, a page of them, or whenever something may have changed."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime

from tasks.framework import runtime
from tasks.framework.archives import Position
from tasks.framework.message import check_id
from tasks.framework.reading import Reading, listing, read
from tasks.framework.watching import Wait
from tasks.jobs.errors import InvalidCursor, JobNotFound
from tasks.jobs.model import STATUS_OF, Job, Page, Status
from tasks.jobs.outlook import outlook
from tasks.workflow import run_workflow


def get(job_id: str) -> Job:
    """Read one job.

    Raises:
        JobNotFound: there is none with that id.
    """
    reading = reading_of(job_id)
    job = Job.of(reading)
    if job.status is not Status.QUEUED:
        return job
    seen = outlook(runtime().protocol, reading)
    return replace(job, queue_position=seen.position, estimated_wait_seconds=seen.wait_seconds)


def watch() -> AbstractContextManager[Wait]:
    """Give ``wait(seconds)``, which returns when any job may have changed, or at that time.

    It returns ten times a second at most, however much happens.
    """
    return runtime().watch.watching()


def list_jobs(
    *,
    statuses: Collection[Status] = (),
    user_id: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Page:
    """List jobs, newest first. No statuses means all.

    Args:
        statuses: which ones.
        user_id: whose; None means everybody's.
        created_after: none that is older than this moment.
        created_before: only those older than this moment.
        limit: how many at most.
        after: the ``next`` of an earlier page.

    Raises:
        InvalidCursor: ``after`` is not the ``next`` of an earlier page.
    """
    found = listing(
        runtime().protocol,
        task=run_workflow.name,
        owner=user_id,
        states=[state for state, status in STATUS_OF.items() if status in statuses],
        after=beginning(after, created_before),
        limit=limit + 1,
    )
    if created_after is not None:
        oldest = created_after.timestamp()
        found = [reading for reading in found if reading.created >= oldest]
    shown = found[:limit]
    more = cursor_of(shown[-1].position) if len(found) > limit else None
    return Page(tuple(Job.of(reading) for reading in shown), more)


def reading_of(job_id: str) -> Reading:
    """Read the run that is the job; raise JobNotFound."""
    reading = read(runtime().protocol, job_id)
    if reading is None or reading.record.task != run_workflow.name:
        raise JobNotFound(job_id)
    return reading


def beginning(after: str | None, before: datetime | None) -> Position | None:
    """Return the position behind which a listing begins; raise InvalidCursor."""
    # no id sorts before the empty one: all of that moment lie in front of it
    places = [(before.timestamp(), "")] if before else []
    if after is not None:
        places.append(_position(after))
    return min(places, default=None)


def cursor_of(position: Position) -> str:
    """Return a position as clients may send it back."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _position(cursor: str) -> Position:
    """Read a cursor; only the very text that `cursor_of` writes is one."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created, run_id = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        position = float(created), check_id(run_id)
    except (ValueError, TypeError, binascii.Error, OverflowError, RecursionError):
        raise InvalidCursor from None
    if not math.isfinite(position[0]) or cursor_of(position) != cursor:
        raise InvalidCursor
    return position
