"""What the routes of /v1 need of `tasks.jobs`, the module that serves them outside of tests."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from comfy_runner.bucket import Bucket
from comfy_runner.graph import Graph
from comfy_runner.media import Media
from settings import Settings
from tasks.framework.watching import Wait
from tasks.jobs import By, Hold, Job, Page, Status, Usage
from tasks.webhook_target import Webhook


class Jobs(Protocol):
    """Every method that takes a job's id raises JobNotFound."""

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
        """Record the job and send it to a worker; raise JobLimitReached."""

    def retry(
        self, job_id: str, *, settings: Settings, bucket: Bucket, held: Hold | None = None
    ) -> Job:
        """Send an ended job again; raise JobNotEnded, InputsGone or JobLimitReached."""

    def hold(self, caller: str, key: str, request: Any) -> AbstractContextManager[Hold]:
        """Hold an idempotency key for one request; raise KeyReused or KeyInUse."""

    def get(self, job_id: str) -> Job:
        """Return the job as it is now."""

    def watch(self) -> AbstractContextManager[Wait]:
        """Give what waits until any job may have changed, or for so many seconds."""

    def cancel(self, job_id: str) -> Job:
        """Stop the job unless it has ended, and return it."""

    def delete(self, job_id: str, *, bucket: Bucket) -> None:
        """Remove an ended job with its files; raise JobNotEnded."""

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
        """Return jobs, newest first; raise InvalidCursor."""

    def usage(
        self,
        by: By,
        *,
        user_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
    ) -> Usage:
        """Add up what ended jobs have used; raise InvalidCursor."""
