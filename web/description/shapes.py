"""The JSON of answers as JSON Schema: what a client may count on."""

from __future__ import annotations

from typing import Any

from tasks.jobs import Status
from tasks.webhook_target import EVENTS

Shape = dict[str, Any]


def ref(name: str) -> Shape:
    """Return a reference to a schema of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def whole(properties: Shape, optional: tuple[str, ...] = ()) -> Shape:
    """Return an object that has all these properties, but for the optional ones, and no other."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def listed(items: Shape) -> Shape:
    """Return an array."""
    return {"type": "array", "items": items}


def optional(shape: Shape, description: str = "") -> Shape:
    """Return the shape, or null."""
    either = {**shape, "type": [shape["type"], "null"]} if "type" in shape else _or_null(shape)
    return {**either, "description": description} if description else either


def _or_null(shape: Shape) -> Shape:
    return {"anyOf": [shape, {"type": "null"}]}


TEXT: Shape = {"type": "string"}
COUNT: Shape = {"type": "integer", "minimum": 0}
NUMBER: Shape = {"type": "number", "minimum": 0}
MOMENT: Shape = {"type": "string", "format": "date-time"}
FLAG: Shape = {"type": "boolean"}

STATUS_FIELDS: Shape = {
    "status": {"type": "string", "enum": [each.value for each in Status]},
    "queue_position": optional(COUNT, "From 1; only of a queued job that is read by itself."),
    "estimated_wait_seconds": optional(COUNT, "Until it starts; null where nobody can know."),
    "started_at": optional(MOMENT),
    "completed_at": optional(MOMENT),
    "error": _or_null(ref("JobError")),
}
PROGRESS_FIELDS: Shape = {
    "progress": {"type": "integer", "minimum": 0, "maximum": 100},
    "current_node": optional(TEXT),
    "current_step": optional(COUNT),
    "total_steps": optional(COUNT),
    "nodes_done": COUNT,
    "nodes_total": COUNT,
}
OUTPUT = whole(
    {
        "filename": optional(TEXT),
        "url": optional(TEXT, "Signed; needs no key, and expires."),
        "size_bytes": optional(COUNT),
        "content_type": optional(TEXT),
        "kind": {"type": "string", "description": "Such as image, video, audio or text."},
        "node_id": TEXT,
        "width": optional(COUNT),
        "height": optional(COUNT),
        "duration_seconds": optional(NUMBER),
        "frames": optional(COUNT),
        "temporary": FLAG,
        "sha256": optional(TEXT, "Of the file, in hexadecimal digits."),
        "text": TEXT,
    },
    optional=("text",),
)
TIMINGS: Shape = whole(
    {
        "waiting": optional(NUMBER, "Until a worker took it, but for that worker's own start."),
        "restore": optional(NUMBER, "Of that worker's memory from its snapshot."),
        "wake": optional(NUMBER, "Until that worker could work; 0 if it could before."),
        "warm_up": optional(NUMBER, "The workflow that a worker runs once before its first job."),
        "inputs": optional(NUMBER, "Placing the input files."),
        "model_load": optional(NUMBER, "Reading models, and moving them to the GPU."),
        "run": optional(NUMBER, "The rest, from its start to its end."),
        "upload": optional(NUMBER, "Waiting for outputs after the last node."),
    }
)
COST: Shape = whole(
    {
        "gpu": {"type": "string", "description": "What it was computed on, such as L40S."},
        "gpu_seconds": NUMBER,
        "usd": optional(NUMBER, "An estimate by the deployment's prices, if it has them."),
    }
)
PLACE = whole(
    {"pointer": TEXT, "parameter": TEXT, "detail": TEXT}, optional=("pointer", "parameter")
)

SHAPES: dict[str, Shape] = {
    "Output": OUTPUT,
    "JobError": whole(
        {
            "code": {"type": "string", "description": "See /problems/{code}."},
            "message": TEXT,
            "node_id": optional(TEXT),
            "node_type": optional(TEXT),
            "node_title": optional(TEXT),
        }
    ),
    "Job": whole(
        {
            "job_id": TEXT,
            **STATUS_FIELDS,
            **PROGRESS_FIELDS,
            "outputs": listed(ref("Output")),
            "logs": listed(TEXT),
            "created_at": MOMENT,
            "timings": {**TIMINGS, "description": "Where its time went, in seconds."},
            "cost": _or_null(COST),
            "user_id": optional(TEXT),
            "retry_of": optional(TEXT),
            "webhook": _or_null(
                whole({"url": TEXT, "events": listed({"type": "string", "enum": list(EVENTS)})})
            ),
        }
    ),
    "Page": whole(
        {
            "jobs": listed(ref("Job")),
            "next": optional(TEXT, "The `after` of the next page, if there is one."),
        }
    ),
    "Usage": whole(
        {
            "sums": listed(
                whole(
                    {
                        "name": optional(TEXT, "The user, day or GPU; null is what has none."),
                        "jobs": COUNT,
                        "gpu_seconds": NUMBER,
                        "usd": optional(NUMBER, "What those jobs cost that have a price."),
                    }
                )
            ),
            "next": optional(TEXT, "The `after` of the rest: add sums of a name together."),
        }
    ),
    "Logs": whole({"job_id": TEXT, "logs": listed(TEXT)}),
    "Verdict": whole({"valid": {"const": True}, "nodes": COUNT, "media": COUNT}),
    "Workflow": whole(
        {
            "name": TEXT,
            "title": TEXT,
            "description": TEXT,
            "models": listed(TEXT),
            "outputs": listed(whole({"node_id": TEXT, "kind": TEXT})),
            "params": {"type": "object", "description": "What `params` may be: a JSON Schema."},
        }
    ),
    "Workflows": whole({"workflows": listed(ref("Workflow"))}),
    "Delivery": whole(
        {
            "id": {"type": "string", "description": "The header webhook-id of each attempt."},
            "type": {"type": "string", "enum": list(EVENTS)},
            "state": {"type": "string", "enum": ["pending", "delivered", "failed"]},
            "attempts": listed({"type": "object"}),
            "next_attempt_at": optional(MOMENT),
        }
    ),
    "Deliveries": whole({"webhooks": listed(ref("Delivery"))}),
    "Health": whole({"status": {"const": "ok"}}),
    "Readiness": whole(
        {
            "status": {"type": "string", "enum": ["ready", "not ready"]},
            "checks": {
                "type": "object",
                "additionalProperties": {"type": "string", "enum": ["ok", "failed"]},
            },
        }
    ),
    "Problem": whole(
        {
            "type": {"type": "string", "description": "The address of a page about the code."},
            "title": TEXT,
            "status": COUNT,
            "detail": {"type": "string", "description": "What happened, and what to do."},
            "code": TEXT,
            "errors": listed(PLACE),
            "request_id": optional(TEXT, "Name it when you ask the operator."),
        }
    ),
}
