"""The routes that submit jobs, list them, send them again, cancel and delete them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Blueprint, request

from comfy_runner.catalog import Catalog
from comfy_runner.media import Policy
from comfy_runner.media.intake import Intake
from settings import Settings
from tasks.jobs import Hold, InvalidCursor, Job, JobLimitReached, QueueFull
from tasks.webhook_target import Webhook
from web import json_body
from web.auth import rights
from web.errors import BodyError, ParameterError, ProblemError, invalid_parameters
from web.v1 import idempotency, queries
from web.v1.finding import found, limit_reached, queue_full
from web.v1.hardware import Hardware
from web.v1.ports import Jobs
from web.v1.schemas import Submission
from web.v1.submission import Reception
from web.v1.telling import Document, Telling

Accepted = tuple[Document, int, dict[str, str]]


@dataclass(frozen=True)
class JobRoutes:
    """The routes, with what they work on."""

    settings: Settings
    jobs: Jobs
    telling: Telling
    catalog: Callable[[], Catalog | None]

    def blueprint(self) -> Blueprint:
        """Return the routes under /v1/jobs."""
        blueprint = Blueprint("jobs", __name__, url_prefix="/v1/jobs")
        blueprint.post("")(self.submit)
        blueprint.get("")(self.list_jobs)
        blueprint.post("/<job_id>/retry")(self.retry)
        blueprint.delete("/<job_id>")(self.end)
        return blueprint

    def submit(self) -> Accepted:
        """Accept a workflow: 202 with the queued job and its address."""
        body = json_body.read(request)
        with idempotency.held(self.jobs, body) as held:
            job = (held and held.job) or self._submitted(body, held)
        return self._accepted(job, held)

    def retry(self, job_id: str) -> Accepted:
        """Send an ended job again, as a new job: 202 as for a submission."""
        body = _empty_body()
        with idempotency.held(self.jobs, body) as held:
            again = partial(
                self.jobs.retry, settings=self.settings, bucket=self.telling.bucket, held=held
            )
            job = (held and held.job) or found(again, job_id)
        return self._accepted(job, held)

    def end(self, job_id: str) -> Document | tuple[str, int]:
        """Cancel the job; one that has ended stays as it ended, unless it is to be purged."""
        if not queries.read_purge(request.args):
            return self.telling.document(found(self.jobs.cancel, job_id))
        found(partial(self.jobs.delete, bucket=self.telling.bucket), job_id)
        return "", 204

    def list_jobs(self) -> Document:
        """List jobs, newest first, a page at a time."""
        asked = queries.read_listing(request.args)
        try:
            page = self.jobs.list_jobs(
                statuses=asked.statuses,
                user_id=asked.user_id,
                created_after=asked.created_after,
                created_before=asked.created_before,
                limit=asked.limit,
                after=asked.after,
            )
        except InvalidCursor as error:
            wrong = ParameterError("after", "must be the `next` of an earlier page")
            raise invalid_parameters((wrong,)) from error
        tell = self.telling.teller()
        return {"jobs": [tell(job) for job in page.jobs], "next": page.next}

    def _submitted(self, body: object, held: Hold | None) -> Job:
        with Intake(Policy.of(self.settings)) as intake:
            longest = self.settings.job_timeout_seconds
            bound_to = rights().user_id
            catalog, hardware = self.catalog(), Hardware.of(self.settings)
            reception = Reception(
                self.jobs.get, intake, longest, catalog, bound_to, hardware=hardware
            )
            asked = reception.accept(body)
            media = intake.store(self.telling.bucket)
        try:
            return self.jobs.submit(
                asked.workflow,
                user_id=asked.user_id,
                settings=self.settings,
                media=media,
                temp_outputs=asked.temp_outputs,
                timeout_seconds=asked.timeout_seconds,
                resources=hardware.resources(asked.gpu, asked.workflow, catalog),
                held=held,
                webhook=self._webhook(asked),
            )
        except JobLimitReached as error:
            raise limit_reached(error) from error
        except QueueFull as error:
            raise queue_full(error) from error

    def _webhook(self, asked: Submission) -> Webhook | None:
        if asked.webhook_url is None:
            return None
        return Webhook.of(asked.webhook_url, asked.webhook_events, base=self.telling.base())

    def _accepted(self, job: Job, held: Hold | None) -> Accepted:
        address = f"{self.telling.base()}/v1/jobs/{job.job_id}"
        headers = {"Location": address, **idempotency.replayed(held)}
        return self.telling.document(job), 202, headers


def _empty_body() -> dict[str, Any]:
    """Refuse a body that says anything; none at all is fine."""
    if not request.content_length and "Transfer-Encoding" not in request.headers:
        return {}
    body = json_body.read(request)
    if body != {}:
        errors = [BodyError("", "must be an empty object, or no body at all")]
        detail = "A job is sent again as it was; see errors."
        raise ProblemError(422, "invalid_request", detail, errors=errors)
    return {}
