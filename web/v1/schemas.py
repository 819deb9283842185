"""The JSON of /v1: what a request may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates, validates_schema

from comfy_runner.graph import Graph, Override
from tasks.webhook_target import EVENTS
from web.errors import BodyError

MOST_INPUTS = 1000
"""How many overrides a submission may have; more than a workflow has of use."""

LABEL = validate.And(
    validate.Length(1, 200, error="must have 1 to 200 characters"),
    validate.Regexp(
        r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z", error="must not hold control characters"
    ),
)


def rule_of(rule: str) -> dict[str, Any]:
    """Return marshmallow's messages for a field that must be as `rule` says."""
    return {"required": "is required", "null": rule, "invalid": rule}


def text_field(rule: str, **options: Any) -> fields.String:
    """Return a field that takes text only; `rule` says what else it must be."""
    return fields.String(error_messages=rule_of(rule), **options)


class InputSchema(Schema):
    """One override of a workflow's field."""

    error_messages = {  # noqa: RUF012  # marshmallow's own way
        "type": "must be an object with node, field and value",
        "unknown": "is not known; an input has node, field, value and type",
    }
    node = text_field(
        'must be a string: a node\'s id in the workflow, such as "6", or @ and its title',
        required=True,
    )
    field = text_field("must be a string: the name of one of the node's inputs", required=True)
    value = fields.Raw(
        required=True, allow_none=True, error_messages={"required": "is required; it may be null"}
    )
    type = text_field(
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
    name = text_field("must be a string: what inputs call the file", required=True, validate=LABEL)
    data = text_field("must be a string: base64, or a data: URL")
    url = text_field("must be a string: an https:// or http:// address")
    job_id = text_field("must be a string: the id of an earlier job")
    filename = text_field("must be a string: the filename of one of that job's outputs")

    @validates_schema(skip_on_field_errors=True)
    def _one_place(self, data: dict[str, Any], **_: Any) -> None:
        places = data.keys() - {"name"}
        if places not in ({"data"}, {"url"}, {"job_id", "filename"}):
            raise ValidationError("must have either data, or url, or job_id and filename")


class Flag(fields.Boolean):
    """True or false, where marshmallow also takes "yes" and 1."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return bool(super()._deserialize(value, attr, data, **kwargs))


_EVENT = f"must be one of {', '.join(EVENTS)}"


class SubmissionSchema(Schema):
    """The body of POST /v1/jobs."""

    error_messages = {  # noqa: RUF012  # marshmallow's own way
        "type": "must be an object with at least a workflow",
        "unknown": "is not known; a job has workflow, params, inputs, media, temp_outputs, "
        "timeout_seconds, gpu, user_id, webhook_url and webhook_events",
    }
    workflow = fields.Dict(
        required=True,
        error_messages=rule_of(
            "must be an object: a workflow in ComfyUI's API format, or the name of one kept here"
        ),
    )
    params = fields.Dict(
        error_messages=rule_of("must be an object: values of the named workflow's parameters"),
    )
    inputs = fields.List(
        fields.Nested(InputSchema, error_messages={"null": InputSchema.error_messages["type"]}),
        load_default=list,
        validate=validate.Length(max=MOST_INPUTS, error=f"must be {MOST_INPUTS} at most"),
        error_messages=rule_of("must be a list; it may be empty"),
    )
    media = fields.List(
        fields.Nested(MediaSchema, error_messages={"null": MediaSchema.error_messages["type"]}),
        load_default=list,
        error_messages=rule_of("must be a list; it may be empty"),
    )
    timeout_seconds = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        error_messages=rule_of("must be a whole number of seconds, or null"),
    )
    gpu = text_field("must be a string or null", load_default=None, allow_none=True)
    temp_outputs = Flag(load_default=False, error_messages=rule_of("must be true or false"))
    user_id = text_field(
        "must be a string or null", load_default=None, allow_none=True, validate=LABEL
    )
    webhook_url = text_field("must be a string or null", load_default=None, allow_none=True)
    webhook_events = fields.List(
        text_field(_EVENT, validate=validate.OneOf(EVENTS, error=_EVENT)),
        load_default=tuple,
        validate=validate.Length(1, error="must name an event, or be left out"),
        error_messages=rule_of("must be a list of events"),
    )

    def __init__(self, longest_run_seconds: int) -> None:
        super().__init__()
        self._longest_run_seconds = longest_run_seconds

    @validates("timeout_seconds")
    def _within_the_limit(self, value: int | None, **_: Any) -> None:
        longest = self._longest_run_seconds
        if value is not None and not 1 <= value <= longest:
            raise ValidationError(f"must be from 1 to {longest} seconds (JOB_TIMEOUT_SECONDS)")


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
    timeout_seconds: int | None
    gpu: str | None
    user_id: str | None
    webhook_url: str | None
    webhook_events: tuple[str, ...]


class Misshapen(ValueError):
    """A body that breaks its schema; `errors` names every place."""

    def __init__(self, errors: tuple[BodyError, ...]) -> None:
        super().__init__("The body breaks its schema")
        self.errors = errors


def read_submission(body: object, longest_run_seconds: int) -> Submission:
    """Return the submission in the JSON value `body`; raise Misshapen with JSON pointers."""
    try:
        data = SubmissionSchema(longest_run_seconds).load(body)  # type: ignore[arg-type]  # judging it is the point
    except ValidationError as error:
        found = flatten(error.messages_dict)
        raise Misshapen(
            tuple(BodyError("".join(map(_token, path)), text) for path, text in found)
        ) from error
    overrides = tuple(Override(**override) for override in data.pop("inputs"))
    media = tuple(SentMedia(**each) for each in data.pop("media"))
    events = tuple(data.pop("webhook_events"))
    data.pop("params", None)  # they are in the workflow already
    return Submission(inputs=overrides, media=media, webhook_events=events, **data)


def flatten(
    messages: Any, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield marshmallow's nested messages one by one; "_schema" means the object itself."""
    if isinstance(messages, dict):
        for key, below in messages.items():
            yield from flatten(below, path if key == "_schema" else (*path, key))
        return
    for text in messages:
        yield path, text


def _token(key: str | int) -> str:
    return "/" + str(key).replace("~", "~0").replace("/", "~1")
