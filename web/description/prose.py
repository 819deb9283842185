"""What the description says in words: how to begin, and what headers are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INTRODUCTION = """
Send a ComfyUI workflow, watch it run, fetch its files.

1. `POST /v1/jobs` with a workflow, or the name of one from `GET /v1/workflows`. Input files go
   into `media`, and the inputs whose value is a file's name get it. The answer is the queued job.
2. Follow `GET /v1/jobs/{job_id}/events`, or read `GET /v1/jobs/{job_id}?wait=50` again and again,
   until `status` is `completed`, `failed` or `cancelled`.
3. Get each of its `outputs` from `url`, which needs no key and expires; reading the job gives a
   new one.

**Keys.** Send `Authorization: Bearer <key>`, or `X-API-Key: <key>`, with every request to `/v1`.

**Refusals** are `application/problem+json` (RFC 9457) with a stable `code`, whose page is at
`type`; `errors` names everything that is wrong at once, in the body by JSON pointer. Any address
that does not exist answers 404 `not_found`, and any method that is not taken 405
`method_not_allowed`.

**Again.** A request with an `Idempotency-Key` may be sent twice and makes one job. After 429 and
503 wait for as many seconds as `Retry-After` says.

**Webhooks** are signed after [Standard Webhooks](https://www.standardwebhooks.com): to verify one,
compute HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}` with the secret (the base64
behind `whsec_`), and compare its base64 with what is behind `v1,` in `webhook-signature`, which
lists several while secrets are being changed. Refuse timestamps that are more than five minutes
old, and take no `webhook-id` twice.
"""

_COPY = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "face.png"}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "copy"}},
}
_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "Submission": {
        "A workflow that is kept here": {
            "workflow": {"name": "text_to_image"},
            "params": {"prompt": "fog", "seed": 1},
        },
        "A graph, one of its fields set, with an input file": {
            "workflow": _COPY,
            "inputs": [{"node": "2", "field": "filename_prefix", "value": "again"}],
            "media": [{"name": "face.png", "data": _PIXEL}],
            "timeout_seconds": 60,
        },
        "A file by its address, for a user, with a webhook": {
            "workflow": _COPY,
            "media": [{"name": "face.png", "url": "https://example.com/face.png"}],
            "user_id": "user_1",
            "webhook_url": "https://example.com/hook",
            "webhook_events": ["job.completed", "job.failed"],
        },
    },
    "Nothing": {"An empty object; no body will do as well": {}},
    "Redelivery": {
        "All events": {"event": None},
        "One type of event": {"event": "job.completed"},
    },
}
"""What bodies may look like, by schema and by what it is that they show."""

REQUEST_HEADERS = {
    "Idempotency-Key": "1 to 200 visible ASCII characters, such as a UUID; kept for a day.",
    "If-None-Match": "The ETag of the job as it is known; with `wait`, what to wait against.",
    "Last-Event-ID": "The `id` of the last event that was seen, to go on from there.",
}

WEBHOOK_HEADERS = {
    "webhook-id": "Names the event; the same however often it is sent.",
    "webhook-timestamp": "When it was sent, in seconds since 1970.",
    "webhook-signature": "For each secret `v1,` and a signature in base64, parted by blanks.",
}
