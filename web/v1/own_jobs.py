"""Jobs as one caller may see them: with a key that is bound to a user, only that user's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from comfy_runner.bucket import Bucket
from comfy_runner.graph import Graph
from settings import Settings
from tasks.framework.watching import Wait
from tasks.jobs import By, Hold, Job, JobNotFound, Page, Usage
from web.v1.ports import Jobs


@dataclass(frozen=True)
class OwnJobs:
    """Stands before all jobs; a job of somebody else is as unknown as one that never was.

    `user_id` returns whose jobs the caller at hand is bound to, None for everybody's. It is
    asked each time, within the request.
    """

    jobs: Jobs
    user_id: Callable[[], str | None]

    def submit(
        self, graph: Graph, *, user_id: str | None, settings: Settings, **options: Any
    ) -> Job:
        """Submit in the name of the user whom the caller is bound to, whatever was asked."""
        bound = self.user_id()
        owner = user_id if bound is None else bound
        return self.jobs.submit(graph, user_id=owner, settings=settings, **options)

    def retry(
        self, job_id: str, *, settings: Settings, bucket: Bucket, held: Hold | None = None
    ) -> Job:
        """Send an ended job again."""
        self.get(job_id)
        return self.jobs.retry(job_id, settings=settings, bucket=bucket, held=held)

    def hold(self, caller: str, key: str, request: Any) -> AbstractContextManager[Hold]:
        """Hold an idempotency key."""
        return self.jobs.hold(caller, key, request)

    def get(self, job_id: str) -> Job:
        """Return the job as it is now."""
        job = self.jobs.get(job_id)
        bound = self.user_id()
        if bound is not None and job.user_id != bound:
            raise JobNotFound(job_id)
        return job

    def watch(self) -> AbstractContextManager[Wait]:
        """Give what waits until any job may have changed: it does not say which."""
        return self.jobs.watch()

    def cancel(self, job_id: str) -> Job:
        """Stop the job unless it has ended."""
        self.get(job_id)
        return self.jobs.cancel(job_id)

    def delete(self, job_id: str, *, bucket: Bucket) -> None:
        """Remove an ended job with its files."""
        self.get(job_id)
        self.jobs.delete(job_id, bucket=bucket)

    def list_jobs(self, *, user_id: str | None = None, **asked: Any) -> Page:
        """Return jobs, newest first; there are none of others."""
        bound = self.user_id()
        if bound is None:
            return self.jobs.list_jobs(user_id=user_id, **asked)
        page = self.jobs.list_jobs(user_id=bound, **asked)  # which judges the cursor, too
        return page if user_id in {None, bound} else Page((), None)

    def usage(self, by: By, *, user_id: str | None = None, **asked: Any) -> Usage:
        """Add up what jobs have used; there are none of others."""
        bound = self.user_id()
        if bound is None:
            return self.jobs.usage(by, user_id=user_id, **asked)
        found = self.jobs.usage(by, user_id=bound, **asked)  # which judges the cursor, too
        return found if user_id in {None, bound} else Usage((), None)


def unbound(jobs: Jobs) -> Jobs:
    """Return the jobs behind, for who has found his own and goes on when the request is over.

    Whose a job is never changes.
    """
    return jobs.jobs if isinstance(jobs, OwnJobs) else jobs
