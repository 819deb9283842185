"""Sending jobs: a new one, or an ended one once more."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from comfy_runner.bucket import Bucket
from comfy_runner.graph import Graph
from comfy_runner.media import Media
from comfy_runner.work import Work
from settings import Settings
from tasks.framework import LimitReached, runtime
from tasks.framework.queueing import waiting
from tasks.framework.records import Final
from tasks.framework.sending import again
from tasks.jobs.errors import InputsGone, JobLimitReached, JobNotEnded, QueueFull
from tasks.jobs.idempotency import IDEMPOTENCY, Hold
from tasks.jobs.model import RETRY_OF, Job
from tasks.jobs.reading import get, reading_of
from tasks.webhook import link_to
from tasks.webhook_target import WEBHOOK, Webhook
from tasks.workflow import run_workflow


def submit(
    graph: Graph,
    *,
    user_id: str | None,
    settings: Settings,
    media: Sequence[Media] = (),
    temp_outputs: bool = False,
    timeout_seconds: int | None = None,
    resources: Mapping[str, str] | None = None,
    held: Hold | None = None,
    webhook: Webhook | None = None,
) -> Job:
    """Queue a checked graph with its input files.

    Args:
        graph: the workflow in API format, every override applied.
        user_id: whose job it is; the limit of unfinished jobs is per user.
        settings: the limits that hold.
        media: input files, stored or to be fetched, that the graph names.
        temp_outputs: also keep what nodes only showed, beside what they saved.
        timeout_seconds: how long the run may take, if not as long as the settings allow.
        resources: what it asks of the place it runs in, such as another GPU.
        held: the idempotency key under which it is sent.
        webhook: where to tell of it.

    Raises:
        QueueFull: ``max_queued_jobs`` wait for a worker.
        JobLimitReached: the user has ``max_active_jobs_per_user`` unfinished jobs.
    """
    _check_room(settings)
    work = Work(graph, tuple(media), temp_outputs)
    longest = settings.job_timeout_seconds
    try:
        result = run_workflow.apply_async(
            (work.to_json(),),
            task_id=held.job_id if held else None,
            owner=user_id,
            limit=settings.max_active_jobs_per_user,
            expires=settings.queued_timeout_seconds,
            timeout=min(timeout_seconds or longest, longest),
            resources=resources,
            headers={**_headers(held), **({WEBHOOK: webhook.to_json()} if webhook else {})},
            link=link_to(webhook),
        )
    except LimitReached as error:
        raise JobLimitReached(error.limit) from error
    return get(result.id)


def retry(job_id: str, *, settings: Settings, bucket: Bucket, held: Hold | None = None) -> Job:
    """Send an ended job again, as a new one of the same user; how it ended does not matter.

    Raises:
        JobNotFound: there is none with that id.
        JobNotEnded: it waits or runs.
        InputsGone: files that it brought are in the bucket no longer.
        StorageFailed: the bucket cannot tell.
        QueueFull: ``max_queued_jobs`` wait for a worker.
        JobLimitReached: the user has ``max_active_jobs_per_user`` unfinished jobs.
    """
    final = reading_of(job_id).record
    if not isinstance(final, Final):
        raise JobNotEnded(job_id)
    media = Work.from_json(final.args[0]).media
    gone = [each.name for each in media if each.key and bucket.stored_at(each.key) is None]
    if gone:
        raise InputsGone(gone)
    _check_room(settings)
    protocol = runtime().protocol
    now = protocol.clock()
    request = replace(
        again(final, now),
        id=held.job_id if held else str(uuid.uuid4()),
        deadline=now + settings.queued_timeout_seconds,
        expires=settings.queued_timeout_seconds,
        timeout=min(final.timeout or settings.job_timeout_seconds, settings.job_timeout_seconds),
        headers={**_without_key(final.headers), **_headers(held), RETRY_OF: job_id},
    )
    try:
        return get(protocol.submit(request, limit=settings.max_active_jobs_per_user))
    except LimitReached as error:
        raise JobLimitReached(error.limit) from error


def _check_room(settings: Settings) -> None:
    """Refuse a job while the queue is full.

    It is a count and then a write, not one decision: of submissions that are under way at the
    same moment all may get in, so that a burst exceeds the limit by their number less one.
    """
    most = settings.max_queued_jobs
    if waiting(runtime().protocol, run_workflow.name, most) >= most:
        raise QueueFull(most)


def _headers(held: Hold | None) -> dict[str, Any]:
    return {IDEMPOTENCY: held.name} if held else {}


def _without_key(headers: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if name != IDEMPOTENCY}
