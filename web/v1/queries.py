"""What the query of a URL may ask for; everything wrong with one is told by name at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.datastructures import MultiDict

from tasks.jobs import By, Status
from web.errors import ParameterError, invalid_parameters
from web.v1.schemas import LABEL, flatten, text_field

MOST_JOBS = 200
"""How many jobs one page of a listing holds at most."""

MOST_WAIT_SECONDS = 50
"""How long a request may ask to wait; proxies cut off what is silent for a minute."""

_LIMIT = f"must be a whole number from 1 to {MOST_JOBS}, given once"
_STATUS = f"must be one of {', '.join(Status)}"
_BY = f"must be one of {', '.join(By)}, given once"
_WAIT = f"must be a whole number of seconds from 0 to {MOST_WAIT_SECONDS}, given once"
_PURGE = "must be true or false, given once"
_MOMENT = "must be a time with its zone as in RFC 3339, such as 2026-11-23T20:01:02Z, given once"
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class _WholeNumber(fields.Integer):
    """An integer in plain digits, where int() also takes "1_0" and " 1"."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        if not isinstance(value, str) or not re.fullmatch("[0-9]{1,9}", value):
            raise self.make_error("invalid")
        return super()._deserialize(value, attr, data, **kwargs)


def _number(rule: str, *, least: int, most: int, default: int) -> fields.Integer:
    return _WholeNumber(
        load_default=default,
        validate=validate.Range(least, most, error=rule),
        error_messages={"invalid": rule},
    )


def _moment() -> fields.Function:
    # the default is told twice because apispec would ask the function for it
    metadata = {"default": None}
    return fields.Function(deserialize=_read_moment, load_default=None, metadata=metadata)


def _read_moment(value: object) -> datetime:
    """Read RFC 3339, where fromisoformat() also takes weeks, and times without a zone."""
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise ValidationError(_MOMENT)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValidationError(_MOMENT) from error


def _cursor() -> fields.String:
    return text_field(
        "must be given once",
        load_default=None,
        validate=validate.Length(1, 400, error="must be the `next` of an earlier page"),
    )


class ListingSchema(Schema):
    """The query of GET /v1/jobs."""

    error_messages = {  # noqa: RUF012  # marshmallow's own way
        "unknown": "is not known; there are status, user_id, created_after, created_before, limit "
        "and after"
    }
    status = fields.List(
        text_field(_STATUS, validate=validate.OneOf(list(Status), error=_STATUS)),
        load_default=list,
    )
    user_id = text_field("must be given once", load_default=None, validate=LABEL)
    created_after = _moment()
    created_before = _moment()
    limit = _number(_LIMIT, least=1, most=MOST_JOBS, default=50)
    after = _cursor()


class UsageSchema(Schema):
    """The query of GET /v1/usage."""

    error_messages = {  # noqa: RUF012  # as above
        "unknown": "is not known; there are by, user_id, since, until and after"
    }
    by = text_field(_BY, load_default=By.USER.value, validate=validate.OneOf(list(By), error=_BY))
    user_id = text_field("must be given once", load_default=None, validate=LABEL)
    since = _moment()
    until = _moment()
    after = _cursor()


class WaitSchema(Schema):
    """The query of GET /v1/jobs/{job_id}."""

    error_messages = {"unknown": "is not known; there is wait"}  # noqa: RUF012  # as above
    wait = _number(_WAIT, least=0, most=MOST_WAIT_SECONDS, default=0)


class PurgeSchema(Schema):
    """The query of DELETE /v1/jobs/{job_id}."""

    error_messages = {"unknown": "is not known; there is purge"}  # noqa: RUF012  # as above
    purge = text_field(
        _PURGE,
        load_default="false",
        validate=validate.OneOf(["true", "false"], error=_PURGE),
    )


@dataclass(frozen=True)
class Listing:
    """Which jobs a client wants to see."""

    statuses: tuple[Status, ...]
    user_id: str | None
    created_after: datetime | None
    created_before: datetime | None
    limit: int
    after: str | None


def read_listing(query: MultiDict[str, str]) -> Listing:
    """Return the listing that the parameters ask for; raise ProblemError 400 naming the wrong."""
    data = _load(ListingSchema(), query, several="status")
    statuses = tuple(Status(each) for each in data.pop("status"))
    return Listing(statuses=statuses, **data)


@dataclass(frozen=True)
class UsageAsked:
    """Of which jobs a client wants sums, and by what."""

    by: By
    user_id: str | None
    since: datetime | None
    until: datetime | None
    after: str | None


def read_usage(query: MultiDict[str, str]) -> UsageAsked:
    """Return what sums the parameters ask for; raise ProblemError 400 naming the wrong."""
    data = _load(UsageSchema(), query)
    return UsageAsked(By(data.pop("by")), **data)


def read_wait(query: MultiDict[str, str]) -> int:
    """Return for how many seconds the client would wait; raise ProblemError 400."""
    seconds: int = _load(WaitSchema(), query)["wait"]
    return seconds


def read_purge(query: MultiDict[str, str]) -> bool:
    """Return whether the client wants the job gone for good; raise ProblemError 400."""
    return bool(_load(PurgeSchema(), query)["purge"] == "true")


def _load(schema: Schema, query: MultiDict[str, str], *, several: str = "") -> dict[str, Any]:
    """Read a query in which only the parameter `several` may be given more than once."""
    asked: dict[str, Any] = {
        name: values[0] if len(values) == 1 else values for name, values in query.lists()
    }
    if several in asked:
        asked[several] = ",".join(query.getlist(several)).split(",")
    try:
        return dict(schema.load(asked))
    except ValidationError as error:
        found = {str(path[0]): text for path, text in flatten(error.messages_dict)}
        wrong = tuple(ParameterError(*each) for each in found.items())
        raise invalid_parameters(wrong) from error
