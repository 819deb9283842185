"""The JSON of /v1: what a request may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from werkzeug.datastructures import MultiDict

from comfy_runner.graph import Graph, Override
from tasks.jobs import Status
from web.errors import BodyError, ParameterError, invalid_parameters

MOST_JOBS = 200
"""How many jobs one page of a listing holds at most."""

_LABEL = validate.And(
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
        'must be "raw" or "media"',
        load_default="raw",
        validate=validate.OneOf(["raw", "media"], error='must be "raw" or "media"'),
    )


class MediaSchema(Schema):
    """One input file, from one of three places."""

    error_messages = {  # noqa: RUF012  # marshmallow's own way
        "type": "must be an object with a name and data, a url, or a job_id with a filename",
        "unknown": "is not known; a file has name, data, url, job_id and filename",
    }
    name = _text("must be a string: what inputs call the file", required=True, validate=_LABEL)
    data = _text("must be a string: base64, or a data: URL")
    url = _text("must be a string: an https:// or http:// address")
    job_id = _text("must be a string: the id of an earlier job")
    filename = _text("must be a string: the filename of one of that job's outputs")

    @validates_schema(skip_on_field_errors=True)
    def _one_place(self, data: dict[str, Any], **_: Any) -> None:
        places = data.keys() - {"name"}
        if places not in ({"data"}, {"url"}, {"job_id", "filename"}):
            raise ValidationError("must have either data, or url, or job_id and filename")


class _Flag(fields.Boolean):
    """True or false, where marshmallow also takes "yes" and 1."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return bool(super()._deserialize(value, attr, data, **kwargs))


class SubmissionSchema(Schema):
    """The body of POST /v1/jobs."""

    error_messages = {  # noqa: RUF012  # marshmallow's own way
        "type": "must be an object with at least a workflow",
        "unknown": "is not known; a job has workflow, inputs, media, temp_outputs, user_id "
        "and webhook_url",
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
        fields.Nested(MediaSchema, error_messages={"null": MediaSchema.error_messages["type"]}),
        load_default=list,
        error_messages=_rule("must be a list; it may be empty"),
    )
    temp_outputs = _Flag(load_default=False, error_messages=_rule("must be true or false"))
    user_id = _text(
        "must be a string or null", load_default=None, allow_none=True, validate=_LABEL
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
    user_id = _text("must be given once", load_default=None, validate=_LABEL)
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
class SentMedia:
    """An input file as it was sent: with data, or a url, or the output of an earlier job."""

    name: str
    data: str | None = None
    url: str | None = None
    job_id: str | None = None
    filename: str | None = None


@dataclass(frozen=True)
class Submission:
    """A request for a job, of the right shape; whether its workflow can run is not known yet."""

    workflow: Graph
    inputs: tuple[Override, ...]
    media: tuple[SentMedia, ...]
    temp_outputs: bool
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
    media = tuple(SentMedia(**each) for each in data.pop("media"))
    return Submission(inputs=overrides, media=media, **data)


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
