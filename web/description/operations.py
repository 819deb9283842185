"""Every operation of the API: what it takes beside its path, and every answer that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from web.description.shapes import Shape, ref
from web.v1 import queries

JSON = "application/json"
HTML = "text/html"
EVENT_STREAM = "text/event-stream"

KEY = ("invalid_header", "unauthorized", "insufficient_scope", "rate_limited")
"""What can be wrong with a key."""

BODY = ("invalid_json", "request_too_large", "unsupported_media_type", "invalid_request")
"""What can be wrong with any body."""

KEYED = ("invalid_header", "idempotency_key_in_use", "idempotency_key_reused")
"""What can be wrong with an Idempotency-Key."""

SUBMISSION = (
    *BODY,
    "invalid_workflow",
    "model_missing",
    "media_rejected",
    "media_unreachable",
)


@dataclass(frozen=True)
class Answer:
    """An answer that is no problem: what it is for, and per content type what it holds."""

    means: str
    holds: Mapping[str, Shape] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """`query` is a schema class, `body` the name of a schema; a public one wants no key."""

    tag: str
    answers: Mapping[int, Answer]
    problems: tuple[str, ...] = ()
    query: Any = None
    body: str | None = None
    body_required: bool = True
    headers: tuple[str, ...] = ()
    public: bool = False

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of every problem that it can answer with."""
        keyed = () if self.public else (*KEY, "storage_failed")  # a key itself is a record
        return tuple(dict.fromkeys((*keyed, *self.problems, "internal_error")))


def told(means: str, name: str, **headers: str) -> Answer:
    """Return an answer that holds JSON of this name."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Answer(means, {JSON: ref(name)}, named)


ACCEPTED = told(
    "The queued job; with Idempotency-Replayed, the one that an earlier request made.",
    "Job",
    Location="The address of the job.",
    Idempotency_Replayed="`true` if this answers a request that was sent before.",
)
UNCHANGED = Answer("What `If-None-Match` names is still so.")
PAGE = {200: Answer("A page for people.", {HTML: {"type": "string"}})}
FILE: Mapping[str, Shape] = {"*/*": {}}
LINES = {"text/plain": {"type": "string"}, JSON: ref("Logs")}
EVENT: Shape = {
    "type": "object",
    "description": "Each event by its fields; `data` is JSON.",
    "properties": {
        "id": {"type": "string"},
        "event": {"enum": ["snapshot", "status", "progress", "log", "output", "end"]},
        "data": {"type": "string"},
    },
}
STREAM = Answer(
    "Events: `snapshot` with the whole job first; then `status`, `progress`, `log` and `output` "
    "with what is new, and `end` with the whole job. The stream ends after about a minute, too: "
    "send the last `id` as Last-Event-ID to go on where it ended.",
    {EVENT_STREAM: EVENT},
)

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("POST", "/v1/jobs"): Operation(
        "Jobs",
        {202: ACCEPTED},
        (*SUBMISSION, *KEYED, "job_limit_reached", "queue_full"),
        body="Submission",
        headers=("Idempotency-Key",),
    ),
    ("GET", "/v1/jobs"): Operation(
        "Jobs",
        {200: told("Jobs, newest first.", "Page")},
        ("invalid_parameter",),
        query=queries.ListingSchema,
    ),
    ("GET", "/v1/jobs/<job_id>"): Operation(
        "Jobs",
        {
            200: told("The job.", "Job", ETag="Changes with the job."),
            304: UNCHANGED,
        },
        ("invalid_parameter", "job_not_found", "precondition_failed", "too_many_streams"),
        query=queries.WaitSchema,
        headers=("If-None-Match",),
    ),
    ("DELETE", "/v1/jobs/<job_id>"): Operation(
        "Jobs",
        {
            200: told("The job, cancelled or as it had ended.", "Job"),
            204: Answer("With `purge=true`: its record and its files are gone."),
        },
        ("invalid_parameter", "job_not_found", "job_not_ended"),
        query=queries.PurgeSchema,
    ),
    ("POST", "/v1/jobs/<job_id>/retry"): Operation(
        "Jobs",
        {202: ACCEPTED},
        (
            *BODY,
            *KEYED,
            *("job_not_found", "job_not_ended", "inputs_gone"),
            *("job_limit_reached", "queue_full"),
        ),
        body="Nothing",
        body_required=False,
        headers=("Idempotency-Key",),
    ),
    ("GET", "/v1/jobs/<job_id>/events"): Operation(
        "Jobs",
        {200: STREAM, 204: Answer("After Last-Event-ID nothing more will come.")},
        ("job_not_found", "too_many_streams"),
        headers=("Last-Event-ID",),
    ),
    ("GET", "/v1/jobs/<job_id>/logs"): Operation(
        "Jobs", {200: Answer("What happened, a line each.", LINES)}, ("job_not_found",)
    ),
    ("GET", "/v1/jobs/<job_id>/webhooks"): Operation(
        "Webhooks", {200: told("Every event, in order.", "Deliveries")}, ("job_not_found",)
    ),
    ("POST", "/v1/jobs/<job_id>/webhooks/redeliver"): Operation(
        "Webhooks",
        {202: told("They are being sent.", "Deliveries")},
        (
            *BODY,
            *("job_not_found", "no_webhook", "nothing_to_redeliver", "too_many_redeliveries"),
        ),
        body="Redelivery",
        body_required=False,
    ),
    ("GET", "/v1/usage"): Operation(
        "Jobs",
        {200: told("What ended jobs have used of workers, for all or part of them.", "Usage")},
        ("invalid_parameter",),
        query=queries.UsageSchema,
    ),
    ("GET", "/v1/workflows"): Operation(
        "Workflows", {200: told("All of them, with what may be set.", "Workflows")}
    ),
    ("GET", "/v1/workflows/<name>"): Operation(
        "Workflows", {200: told("The workflow.", "Workflow")}, ("workflow_not_found",)
    ),
    ("POST", "/v1/workflows/validate"): Operation(
        "Workflows",
        {200: told("It would be accepted.", "Verdict")},
        SUBMISSION,
        body="Submission",
    ),
    ("GET", "/files/<path:key>"): Operation(
        "Files",
        {
            200: Answer("The file.", FILE),
            206: Answer("The part of it that `Range` asks for.", FILE),
            304: UNCHANGED,
        },
        (
            *("bad_signature", "link_expired", "file_not_found"),
            *("precondition_failed", "requested_range_not_satisfiable"),
        ),
        public=True,
    ),
    ("GET", "/health"): Operation(
        "Operation", {200: told("The API answers.", "Health")}, public=True
    ),
    ("GET", "/ready"): Operation(
        "Operation",
        {200: told("A job would run.", "Readiness"), 503: told("It would not.", "Readiness")},
        public=True,
    ),
    ("GET", "/metrics"): Operation(
        "Operation", {200: Answer("In Prometheus' format.", {"text/plain": {"type": "string"}})}
    ),
    ("GET", "/openapi.json"): Operation(
        "Documentation",
        {200: Answer("This document.", {JSON: {"type": "object"}})},
        public=True,
    ),
    ("GET", "/docs"): Operation("Documentation", PAGE, public=True),
    ("GET", "/docs/<name>"): Operation(
        "Documentation", {200: Answer("A file of that page.", FILE)}, ("not_found",), public=True
    ),
    ("GET", "/problems/<name>"): Operation("Documentation", PAGE, ("not_found",), public=True),
}
"""By method and route; each is described once, and each route is here."""
