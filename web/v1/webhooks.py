"""The routes of a job's webhook: what became of each event, and sending them once more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Blueprint, request

import tasks.webhook_log
from tasks.jobs import Job
from tasks.webhook_log import Delivery, NothingToRedeliver, TooManyRedeliveries
from tasks.webhook_target import Allowed, WebhookRefused, check_url
from web import json_body
from web.errors import BodyError, ProblemError
from web.v1.earlier_outputs import FindJob
from web.v1.finding import found


class Deliveries(Protocol):
    """What the routes need of `tasks.webhook_log`, which serves them outside of tests."""

    def deliveries(self, job: Job) -> Collection[Delivery]:
        """Return what became of each event of the job."""

    def redeliver(self, job: Job, event: str | None = None) -> Collection[Delivery]:
        """Send events anew; raise NothingToRedeliver or TooManyRedeliveries."""


@dataclass(frozen=True)
class WebhookRoutes:
    """The routes, with what they work on."""

    find_job: FindJob
    """Raises JobNotFound for a job that is not there, or not the caller's."""
    log: Deliveries = tasks.webhook_log

    def blueprint(self) -> Blueprint:
        """Return the routes under /v1/jobs/{job_id}/webhooks."""
        blueprint = Blueprint("webhooks", __name__, url_prefix="/v1/jobs/<job_id>/webhooks")
        blueprint.get("")(self.listing)
        blueprint.post("/redeliver")(self.redeliver)
        return blueprint

    def listing(self, job_id: str) -> dict[str, Any]:
        """Tell what became of the job's events, in order."""
        return _document(self.log.deliveries(found(self.find_job, job_id)))

    def redeliver(self, job_id: str) -> tuple[dict[str, Any], int]:
        """Send the job's events anew, or the one that the body names: 202."""
        job = found(self.find_job, job_id)
        event = _asked_event()
        if job.webhook is None:
            raise _conflict("no_webhook", "This job was submitted without a webhook_url.")
        try:
            sent = self.log.redeliver(job, event)
        except NothingToRedeliver as error:
            raise _nothing(event, error) from error
        except TooManyRedeliveries as error:
            detail = f"{error}, which is as often as is allowed."
            raise _conflict("too_many_redeliveries", detail) from error
        return _document(sent), 202


def webhook_faults(body: object, allow: Allowed) -> list[BodyError]:
    """Check what `body` says of a webhook, if its shape is right: a schema checks that."""
    if not isinstance(body, dict):
        return []
    url = body.get("webhook_url")
    if url is None and "webhook_events" in body:
        return [BodyError("/webhook_events", "makes no sense without a webhook_url")]
    if not isinstance(url, str):
        return []
    try:
        check_url(url, allow)
    except WebhookRefused as error:
        return [BodyError("/webhook_url", f"cannot be used: {error}")]
    return []


def _document(events: Collection[Delivery]) -> dict[str, Any]:
    return {"webhooks": [each.to_json() for each in events]}


def _asked_event() -> str | None:
    """Return which event the body names; no body at all means all of them."""
    if not request.content_length and "Transfer-Encoding" not in request.headers:
        return None
    body = json_body.read(request)
    if not isinstance(body, dict):
        raise _invalid([BodyError("", "must be an object, or no body at all")])
    faults = [BodyError(f"/{_escaped(key)}", "is not known") for key in body if key != "event"]
    event = body.get("event")
    if event is not None and not isinstance(event, str):
        faults.append(BodyError("/event", "must be the type or the id of an event, or null"))
    if faults:
        raise _invalid(faults)
    return event


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _invalid(faults: list[BodyError]) -> ProblemError:
    return ProblemError(422, "invalid_request", "The request is wrong; see errors.", errors=faults)


def _nothing(event: str | None, error: NothingToRedeliver) -> ProblemError:
    if event is None:
        detail = "No event of this job has happened yet, at least none that its webhook wants."
        return _conflict("nothing_to_redeliver", detail)
    known = ", ".join(error.events) or "none"
    return _invalid([BodyError("/event", f"is no event of this job; it has had: {known}")])


def _conflict(code: str, detail: str) -> ProblemError:
    return ProblemError(409, code, detail)
