"""The JSON of /v1: what a request may hold, and how a job is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.datastructures import MultiDict

from comfy_runner.graph import Graph, Override
from tasks.jobs import Job, Status
from web.errors import BodyError, ParameterError, invalid_parameters

MOST_JOBS = 200
"""How many jobs one page of a listing holds at most."""

_USER_ID = validate.And(
    validate.Length(1, 200, error="must have 1 to 200 characters"),
    validate.Regexp(
        r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z", error="must not hold control characters"
    ),
)


def _rule(rule: str) -> dict[str, Any]:
    """Return marshmallow's messages for a field that must be as `rule` says."""
    return {"required": "is required", "null": rule, "invalid": rule}


def _text(rule: str, **options: Any) -> fields.String:
    return fields.String(error_messages=_rule(rule), **options)


class InputSchema(Schema):
    """One override of a workflow's field."""

    error_messages = {  # noqa: RUF012  # marshmallow's own way
        "type": "must be an object with node, field and value",
        "unknown": "is not known; an input has node, field, value and type",
    }
    node = _text('must be a string: the node\'s id in the workflow, such as "6"', required=True)
    field = _text("must be a string: the name of one of the node's inputs", required=True)
    value = fields.Raw(
        required=True, allow_none=True, error_messages={"required": "is required; it may be null"}
    )
    type = _text(
        'must be "raw"',
        load_default="raw",
        validate=validate.OneOf(["raw"], error='must be "raw", the only type there is so far'),
    )


class SubmissionSchema(Schema):
    """The body of POST /v1/jobs."""

    error_messages = {  # noqa: RUF012  # marshmallow's own way
        "type": "must be an object with at least a workflow",
        "unknown": "is not known; a job has workflow, inputs, media, user_id and webhook_url",
    }
    workflow = fields.Dict(
        required=True,
        error_messages=_rule("must be an object: a workflow in ComfyUI's API format"),
    )
    inputs = fields.List(
        fields.Nested(InputSchema, error_messages={"null": InputSchema.error_messages["type"]}),
        load_default=list,
        error_messages=_rule("must be a list; it may be empty"),
    )
    media = fields.List(
        fields.Raw(allow_none=True),
        load_default=list,
        error_messages=_rule("must be a list; it may be empty"),
    )
    user_id = _text(
        "must be a string or null", load_default=None, allow_none=True, validate=_USER_ID
    )
    webhook_url = _text("must be a string or null", load_default=None, allow_none=True)


class _WholeNumber(fields.Integer):
    """An integer in plain digits, where int() also takes "1_0" and " 1"."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        if not isinstance(value, str) or not re.fullmatch("[0-9]{1,9}", value):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


_LIMIT = f"must be a whole number from 1 to {MOST_JOBS}, given once"
_STATUS = f"must be one of {', '.join(Status)}"


class ListingSchema(Schema):
    """The query of GET /v1/jobs."""

    error_messages = {  # noqa: RUF012  # marshmallow's own way
        "unknown": "is not known; there are status, user_id, limit and after"
    }
    status = fields.List(
        _text(_STATUS, validate=validate.OneOf(list(Status), error=_STATUS)), load_default=list
    )
    user_id = _text("must be given once", load_default=None, validate=_USER_ID)
    limit = _WholeNumber(
        load_default=50,
        validate=validate.Range(1, MOST_JOBS, error=_LIMIT),
        error_messages={"invalid": _LIMIT},
    )
    after = _text(
        "must be given once",
        load_default=None,
        validate=validate.Length(1, 200, error="must be the `next` of an earlier page"),
    )


@dataclass(frozen=True)
class Submission:
    """A request for a job, of the right shape; whether its workflow can run is not known yet."""

    workflow: Graph
    inputs: tuple[Override, ...]
    media: tuple[Any, ...]
    user_id: str | None
    webhook_url: str | None


@dataclass(frozen=True)
class Listing:
    """Which jobs a client wants to see."""

    statuses: tuple[Status, ...]
    user_id: str | None
    limit: int
    after: str | None


class Misshapen(ValueError):
    """A body that breaks its schema; `errors` names every place."""

    def __init__(self, errors: tuple[BodyError, ...]) -> None:
        super().__init__("The body breaks its schema")
        self.errors = errors


def read_submission(body: object) -> Submission:
    """Return the submission in the JSON value `body`; raise Misshapen with JSON pointers."""
    try:
        data = SubmissionSchema().load(body)  # type: ignore[arg-type]  # judging it is the point
    except ValidationError as error:
        found = _flatten(error.messages_dict)
        raise Misshapen(
            tuple(BodyError("".join(map(_token, path)), text) for path, text in found)
        ) from error
    overrides = tuple(Override(**override) for override in data.pop("inputs"))
    return Submission(inputs=overrides, media=tuple(data.pop("media")), **data)


def read_listing(query: MultiDict[str, str]) -> Listing:
    """Return the listing that the parameters ask for; raise ProblemError 400 naming the wrong."""
    asked: dict[str, Any] = {
        name: values[0] if len(values) == 1 else values for name, values in query.lists()
    }
    if "status" in asked:
        asked["status"] = ",".join(query.getlist("status")).split(",")
    try:
        data = ListingSchema().load(asked)
    except ValidationError as error:
        found = {str(path[0]): text for path, text in _flatten(error.messages_dict)}
        wrong = tuple(ParameterError(*each) for each in found.items())
        raise invalid_parameters(wrong) from error
    statuses = tuple(Status(each) for each in data.pop("status"))
    return Listing(statuses=statuses, **data)


def _flatten(
    messages: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield marshmallow's nested messages one by one; "_schema" means the object itself."""
    if isinstance(messages, dict):
        for key, below in messages.items():
            yield from _flatten(below, path if key == "_schema" else (*path, key))
        return
    for text in messages:
        yield path, text


def _token(key: str | int) -> str:
    return "/" + str(key).replace("~", "~0").replace("/", "~1")


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
        "outputs": _output_documents(job, link),
        "logs": list(job.logs),
        "error": error
        and {
            "code": error.code,
            "message": error.message,
            "node_id": error.node_id,
            "node_type": error.node_type,
        },
        "created_at": _timestamp(job.created_at),
        "started_at": _timestamp(job.started_at),
        "completed_at": _timestamp(job.completed_at),
        "user_id": job.user_id,
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
        }
        | ({} if output.text is None else {"text": output.text})
        for output in job.outputs
    ]


def _timestamp(moment: datetime | None) -> str | None:
    """Return ISO 8601 in UTC with milliseconds, as in 2026-11-23T20:01:02.345Z."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
