"""Every code that a refusal or a failed job can carry, with what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """`status` is that of the answer; a code of failed jobs alone has none."""

    status: int | None
    meaning: str


CODES = {
    "invalid_header": Code(400, "A header cannot be what it is; `detail` names it."),
    "invalid_json": Code(400, "The body is not JSON, or not such as all parsers read alike."),
    "invalid_parameter": Code(400, "The query is wrong; `errors` names each parameter."),
    "bad_request": Code(400, "The request could not be read; it may have been cut off."),
    "unauthorized": Code(401, "No key, or a wrong one; send `Authorization: Bearer <key>`."),
    "insufficient_scope": Code(403, "The key is not for that; use one with the scope."),
    "bad_signature": Code(403, "The link to the file is not one that was signed here."),
    "link_expired": Code(403, "The link to the file has expired; read the job for a new one."),
    "not_found": Code(404, "There is nothing at this address."),
    "job_not_found": Code(404, "There is no such job, or it is not yours."),
    "file_not_found": Code(404, "The link is right, but its file has been deleted."),
    "workflow_not_found": Code(
        404, "No bundled workflow has this name; `detail` has the nearest."
    ),
    "method_not_allowed": Code(405, "The address does not take this method; see `Allow`."),
    "idempotency_key_in_use": Code(409, "The first request with the key is in hand; try again."),
    "job_not_ended": Code(409, "That is for jobs that have ended: wait, or cancel it."),
    "no_webhook": Code(409, "The job was submitted without a `webhook_url`."),
    "nothing_to_redeliver": Code(409, "None of the events that the webhook wants has happened."),
    "too_many_redeliveries": Code(409, "The event has been sent anew as often as it may be."),
    "inputs_gone": Code(410, "Input files of the job are not kept any more: submit it with them."),
    "precondition_failed": Code(412, "What `If-Match` names is not so any more: read it anew."),
    "request_too_large": Code(413, "The body is too large; give large input files by URL."),
    "unsupported_media_type": Code(415, "The body is not declared as `application/json`."),
    "requested_range_not_satisfiable": Code(416, "The file is shorter than the range asked for."),
    "invalid_request": Code(422, "Fields are missing, unknown or wrong; `errors` points at each."),
    "invalid_workflow": Code(422, "The workflow cannot run; `errors` points at each fault."),
    "model_missing": Code(422, "The workflow loads a model that the workers do not have."),
    "media_rejected": Code(422, "An input file is not of a kind, or a size, that is taken."),
    "media_unreachable": Code(422, "An input file could not be had from where it should be."),
    "idempotency_key_reused": Code(422, "The key was sent with another request; use a new one."),
    "job_limit_reached": Code(429, "The user has as many active jobs as are allowed at a time."),
    "rate_limited": Code(429, "The key has sent too many requests; see `Retry-After`."),
    "too_many_streams": Code(429, "As many streams and waiting requests are open as may be."),
    "queue_full": Code(503, "As many jobs wait as may wait; see `Retry-After`."),
    "internal_error": Code(500, "The server failed; its log says why. Try again."),
    "storage_failed": Code(503, "Where files and records are kept nobody answers; try again."),
    "node_failed": Code(None, "A node raised an error; the job's `error` names it."),
    "out_of_memory": Code(None, "The GPU has too little memory for this; make it smaller."),
    "comfyui_crashed": Code(None, "ComfyUI died under the job, more than once."),
    "comfyui_unavailable": Code(None, "ComfyUI could not be started, or did not answer."),
    "comfyui_error": Code(None, "ComfyUI gave up in a way that it does not explain."),
    "stalled": Code(None, "Nothing happened in the job for too long."),
    "timeout": Code(None, "The job ran longer than it may; see `timeout_seconds`."),
    "expired": Code(None, "No worker was free in time; submit the job again."),
    "worker_lost": Code(None, "The worker died under the job, more than once."),
    "cancelled": Code(None, "The job was cancelled on request."),
    "no_outputs": Code(None, "The workflow ran and left no file; let a node save one."),
}


def title(code: str) -> str:
    """Return a code in plain words."""
    return code.replace("_", " ").capitalize()
