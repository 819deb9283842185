"""Jobs that live in this process and never run: what the API needs of `tasks.jobs`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from comfy_runner.bucket import Bucket
from comfy_runner.graph import Graph
from comfy_runner.media import Media
from settings import Settings
from tasks.framework.watching import Wait
from tasks.jobs import (
    By,
    Hold,
    InvalidCursor,
    Job,
    JobLimitReached,
    JobNotEnded,
    JobNotFound,
    Page,
    Status,
    Usage,
)
from tasks.webhook_target import Webhook


def a_job(job_id: str = "job-1", **facts: object) -> Job:
    queued = Job(
        job_id=job_id,
        status=Status.QUEUED,
        progress=0,
        current_node=None,
        current_step=None,
        total_steps=None,
        nodes_done=0,
        nodes_total=1,
        outputs=(),
        logs=(),
        error=None,
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        started_at=None,
        completed_at=None,
        user_id=None,
    )
    return replace(queued, **facts)  # type: ignore[arg-type]


class MemoryJobs:
    def __init__(self, *jobs: Job, limit: int = 100) -> None:
        self.kept = {job.job_id: job for job in jobs}
        self.limit = limit
        self.submitted: list[Graph] = []
        self.media: list[tuple[Media, ...]] = []
        self.temp_outputs: list[bool] = []
        self.webhooks: list[Webhook | None] = []
        self.timeouts: list[int | None] = []
        self.resources: list[Mapping[str, str] | None] = []
        self.failure: Exception | None = None

    def submit(
        self,
        graph: Graph,
        *,
        user_id: str | None,
        settings: Settings,
        media: Sequence[Media] = (),
        temp_outputs: bool = False,
        webhook: Webhook | None = None,
        timeout_seconds: int | None = None,
        resources: Mapping[str, str] | None = None,
        held: Hold | None = None,
    ) -> Job:
        if self.failure:
            raise self.failure
        if len(self.kept) >= self.limit:
            raise JobLimitReached(self.limit)
        self.submitted.append(graph)
        self.media.append(tuple(media))
        self.temp_outputs.append(temp_outputs)
        self.webhooks.append(webhook)
        self.timeouts.append(timeout_seconds)
        self.resources.append(resources)
        number = len(self.kept) + 1
        born = a_job().created_at + timedelta(seconds=number)
        job = a_job(f"job-{number}", user_id=user_id, created_at=born, nodes_total=len(graph))
        self.kept[job.job_id] = job
        return job

    def get(self, job_id: str) -> Job:
        if self.failure:
            raise self.failure
        if job_id not in self.kept:
            raise JobNotFound(job_id)
        return self.kept[job_id]

    def retry(
        self, job_id: str, *, settings: Settings, bucket: Bucket, held: Hold | None = None
    ) -> Job:
        raise NotImplementedError

    def hold(self, caller: str, key: str, request: Any) -> AbstractContextManager[Hold]:
        raise NotImplementedError

    @contextmanager
    def watch(self) -> Iterator[Wait]:
        yield lambda seconds: None

    def delete(self, job_id: str, *, bucket: Bucket) -> None:
        if not self.get(job_id).ended:
            raise JobNotEnded(job_id)
        del self.kept[job_id]

    def cancel(self, job_id: str) -> Job:
        job = self.get(job_id)
        if not job.ended:
            self.kept[job_id] = job = replace(job, status=Status.CANCELLED)
        return job

    def usage(self, by: By, **asked: Any) -> Usage:
        raise NotImplementedError(by, asked)

    def list_jobs(
        self,
        *,
        statuses: Collection[Status] = (),
        user_id: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page:
        newest_first = sorted(self.kept.values(), key=lambda job: job.created_at, reverse=True)
        wanted = [
            job
            for job in newest_first
            if (not statuses or job.status in statuses)
            and user_id in {None, job.user_id}
            and (created_after is None or job.created_at >= created_after)
            and (created_before is None or job.created_at < created_before)
        ]
        if after is not None and not after.isdigit():
            raise InvalidCursor
        start = int(after or 0)
        end = start + limit
        return Page(jobs=tuple(wanted[start:end]), next=str(end) if end < len(wanted) else None)
