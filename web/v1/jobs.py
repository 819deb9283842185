"""The routes of /v1/jobs: submit, look at, list and cancel jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Blueprint, request

from comfy_runner.bucket import Bucket
from comfy_runner.catalog import Catalog
from comfy_runner.errors import StorageFailed
from comfy_runner.graph import Graph
from comfy_runner.media import Media, Policy
from comfy_runner.media.intake import Intake
from settings import Settings
from tasks.jobs import InvalidCursor, Job, JobLimitReached, JobNotFound, Page, Status
from web import json_body
from web.errors import ParameterError, ProblemError, invalid_parameters
from web.v1 import documents, schemas
from web.v1.earlier_outputs import JOB_ID
from web.v1.submission import Reception


class Jobs(Protocol):
    """What the routes need of `tasks.jobs`, the module that serves them outside of tests."""

    def submit(
        self,
        graph: Graph,
        *,
        user_id: str | None,
        settings: Settings,
        media: Sequence[Media] = (),
        temp_outputs: bool = False,
    ) -> Job:
        """Record the job and send it to a worker; raise JobLimitReached."""

    def get(self, job_id: str) -> Job:
        """Return the job as it is now; raise JobNotFound."""

    def cancel(self, job_id: str) -> Job:
        """Stop the job unless it has ended, and return it; raise JobNotFound."""

    def list_jobs(
        self,
        *,
        statuses: Collection[Status] = (),
        user_id: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page:
        """Return jobs, newest first; raise InvalidCursor."""


@dataclass(frozen=True)
class JobRoutes:
    """The routes, with what they work on."""

    settings: Settings
    jobs: Jobs
    bucket: Bucket
    catalog: Callable[[], Catalog | None]

    def blueprint(self) -> Blueprint:
        """Return the routes under /v1/jobs."""
        blueprint = Blueprint("jobs", __name__, url_prefix="/v1/jobs")
        blueprint.post("")(self.submit)
        blueprint.get("")(self.list_jobs)
        blueprint.get("/<job_id>")(self.get)
        blueprint.delete("/<job_id>")(self.cancel)
        return blueprint

    def submit(self) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Accept a workflow: 202 with the queued job and its address."""
        with Intake(Policy.of(self.settings)) as intake:
            reception = Reception(self.jobs.get, intake, self.catalog())
            asked = reception.accept(json_body.read(request))
            media = _stored(intake, self.bucket)
        try:
            job = self.jobs.submit(
                asked.workflow,
                user_id=asked.user_id,
                settings=self.settings,
                media=media,
                temp_outputs=asked.temp_outputs,
            )
        except JobLimitReached as error:
            raise _limit_reached(error) from error
        return self._document(job), 202, {"Location": f"{self._base()}/v1/jobs/{job.job_id}"}

    def get(self, job_id: str) -> dict[str, Any]:
        """Tell how the job is doing."""
        return self._document(_found(self.jobs.get, job_id))

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancel the job; one that has ended stays as it ended."""
        return self._document(_found(self.jobs.cancel, job_id))

    def list_jobs(self) -> dict[str, Any]:
        """List jobs, newest first, a page at a time."""
        asked = schemas.read_listing(request.args)
        try:
            page = self.jobs.list_jobs(
                statuses=asked.statuses,
                user_id=asked.user_id,
                limit=asked.limit,
                after=asked.after,
            )
        except InvalidCursor as error:
            wrong = ParameterError("after", "must be the `next` of an earlier page")
            raise invalid_parameters((wrong,)) from error
        return {"jobs": [self._document(job) for job in page.jobs], "next": page.next}

    def _document(self, job: Job) -> dict[str, Any]:
        return documents.job_document(job, self._link)

    def _link(self, key: str) -> str:
        url = self.bucket.url(key, ttl_seconds=self.settings.r2_url_ttl_seconds)
        return f"{self._base()}{url}" if url.startswith("/") else url

    def _base(self) -> str:
        """Return the address clients know us by; without a usable Host, links are relative."""
        asked = request.host_url.rstrip("/") if request.host else ""
        return self.settings.public_url or asked


def _found(action: Callable[[str], Job], job_id: str) -> Job:
    """Return what `action` finds; an id that no job can have is as unknown as any other."""
    detail = "There is no job with this id; see GET /v1/jobs for those there are."
    unknown = ProblemError(404, "job_not_found", detail)
    if not JOB_ID.fullmatch(job_id):
        raise unknown
    try:
        return action(job_id)
    except JobNotFound as error:
        raise unknown from error


def _stored(intake: Intake, bucket: Bucket) -> tuple[Media, ...]:
    try:
        return intake.store(bucket)
    except StorageFailed as error:
        detail = "The input files could not be stored just now; send the job again."
        headers = {"Retry-After": "5"}
        raise ProblemError(503, error.code, detail, headers=headers) from error


def _limit_reached(error: JobLimitReached) -> ProblemError:
    detail = (
        f"This user already has {error.limit} active jobs, as many as are allowed at a time; "
        "wait for one to end, or cancel one."
    )
    return ProblemError(429, "job_limit_reached", detail, headers={"Retry-After": "5"})
