"""How a job is told as JSON, by the API and by webhooks alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.jobs import Job


def job_document(job: Job, link: Callable[[str], str]) -> dict[str, Any]:
    """Return `job` as JSON; `link` makes an output's bucket key an absolute, signed URL."""
    error = job.error
    return {
        "job_id": job.job_id,
        "status": job.status.value,
        "progress": job.progress,
        "current_node": job.current_node,
        "current_step": job.current_step,
        "total_steps": job.total_steps,
        "nodes_done": job.nodes_done,
        "nodes_total": job.nodes_total,
        "queue_position": job.queue_position,
        "estimated_wait_seconds": job.estimated_wait_seconds,
        "outputs": _output_documents(job, link),
        "logs": list(job.logs),
        "error": error
        and {
            "code": error.code,
            "message": error.message,
            "node_id": error.node_id,
            "node_type": error.node_type,
            "node_title": error.node_title,
        },
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "completed_at": timestamp(job.completed_at),
        "timings": job.timings.to_json(),
        "cost": job.cost and job.cost.to_json(),
        "user_id": job.user_id,
        "retry_of": job.retry_of,
        "webhook": job.webhook
        and {"url": job.webhook.shown_url, "events": list(job.webhook.events)},
    }


def _output_documents(job: Job, link: Callable[[str], str]) -> list[dict[str, Any]]:
    return [
        {
            "filename": output.filename,
            "url": link(output.key) if output.key else None,
            "size_bytes": output.size_bytes,
            "content_type": output.content_type,
            "kind": output.kind,
            "node_id": output.node_id,
            "width": output.width,
            "height": output.height,
            "duration_seconds": output.duration_seconds,
            "frames": output.frames,
            "temporary": output.is_temp,
            "sha256": output.sha256,
        }
        | ({} if output.text is None else {"text": output.text})
        for output in job.outputs
    ]


def timestamp(moment: datetime | None) -> str | None:
    """Return ISO 8601 in UTC with milliseconds, as in 2026-11-23T20:01:02.345Z."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
