"""The OpenAPI 3.1 document, made from the routes, their docstrings and the schemas in use."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask
from marshmallow import fields, validate

from tasks.webhook_target import EVENTS
from web.description.codes import CODES, title
from web.description.operations import OPERATIONS, Operation
from web.description.prose import EXAMPLES, INTRODUCTION, REQUEST_HEADERS, WEBHOOK_HEADERS
from web.description.shapes import SHAPES, TEXT, Shape, ref, whole
from web.v1.schemas import SubmissionSchema

VERSION = "1"

NOTHING: Shape = {"type": "object", "additionalProperties": False}
REDELIVERY = whole(
    {"event": {"type": ["string", "null"], "description": "A type or an id; null is all."}},
    optional=("event",),
)
GRAPH: Shape = {
    "type": "object",
    "title": "A graph as ComfyUI has it",
    "description": "In the API format: nodes by id. As the editor saves it, it is taken, too.",
}
NAMED = {**whole({"name": {**TEXT, "description": "See GET /v1/workflows."}}), "title": "A name"}


def document(app: Flask, *, longest_run_seconds: int) -> dict[str, Any]:
    """Return the description of every route of `app` that is for clients."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title="ComfyUI jobs",
        version=VERSION,
        openapi_version="3.1.0",
        plugins=[plugin],
        info={"description": INTRODUCTION},
        servers=[{"url": "/"}],
        security=[{"key": []}, {"header": []}],
    )
    plugin.converter.add_attribute_function(_as_checked)  # type: ignore[union-attr]  # set by now
    spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    plain = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    spec.components.security_scheme("header", plain)
    spec.components.schema("Submission", schema=SubmissionSchema(longest_run_seconds))
    for name, shape in {**SHAPES, "Nothing": NOTHING, "Redelivery": REDELIVERY}.items():
        spec.components.schema(name, shape)
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            operation = OPERATIONS[method, rule.rule]
            summary = _summary(app.view_functions[rule.endpoint].__doc__)
            described = _described(operation, rule.rule, summary)
            spec.path(_path(rule.rule), operations={method.lower(): described})
    made = spec.to_dict()
    _finish(made["components"]["schemas"]["Submission"])
    made["webhooks"] = {name: {"post": _webhook(name)} for name in EVENTS}
    finished: dict[str, Any] = _without_null_defaults(made)
    return finished


def _finish(submission: dict[str, Any]) -> None:
    """Say of a submission what marshmallow does not know."""
    submission["properties"]["workflow"] = {"anyOf": [NAMED, GRAPH]}


def _as_checked(_converter: Any, field: fields.Field[Any], **_: Any) -> Shape:
    """Describe a field by the rules that its value is held to."""
    told: Shape = {}
    rule = field.error_messages.get("invalid", "")
    if field.error_messages.get("null") == rule:  # our own words
        told["description"] = rule
    if isinstance(field, fields.Function):
        told |= {"type": "string", "format": "date-time"}
    for each in field.validators:
        for part in each.validators if isinstance(each, validate.And) else ():
            told |= _bounds(part)
    return told


def _bounds(part: object) -> Shape:
    if isinstance(part, validate.Length):
        return {"minLength": part.min, "maxLength": part.max}
    if isinstance(part, validate.Regexp):
        # JSON Schema's patterns are those of JavaScript, which has no \Z
        return {"pattern": "^" + str(part.regex.pattern).removesuffix(r"\Z") + "$"}
    return {}


def _path(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def _summary(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0].removesuffix(".")


def _described(operation: Operation, rule: str, summary: str) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": TEXT}
        for name in re.findall(r"<(?:\w+:)?(\w+)>", rule)
    ]
    parameters += [
        {"name": name, "in": "header", "description": REQUEST_HEADERS[name], "schema": TEXT}
        for name in operation.headers
    ]
    if operation.query:
        parameters.append({"in": "query", "schema": operation.query})
    if rule.startswith("/files/"):
        parameters += [
            {"name": name, "in": "query", "required": True, "schema": TEXT}
            for name in ("expires", "signature")
        ]
    made: dict[str, Any] = {
        "tags": [operation.tag],
        "summary": summary,
        "parameters": parameters,
        "responses": _responses(operation, rule),
    }
    if operation.body:
        examples = {
            f"example-{number}": {"summary": shows, "value": value}
            for number, (shows, value) in enumerate(EXAMPLES[operation.body].items(), 1)
        }
        content = {"application/json": {"schema": ref(operation.body), "examples": examples}}
        made["requestBody"] = {"required": operation.body_required, "content": content}
    if operation.public:
        made["security"] = []
    return made


def _responses(operation: Operation, rule: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for status, answer in operation.answers.items():
        content = {kind: {"schema": shape} for kind, shape in answer.holds.items()}
        headers = {
            name: {"description": means, "schema": TEXT} for name, means in answer.headers.items()
        }
        described: dict[str, Any] = {"description": answer.means}
        made[str(status)] = described | ({"content": content} if content else {})
        if headers:
            made[str(status)]["headers"] = headers
    by_status: dict[int, list[str]] = defaultdict(list)
    # what holds a line feed, say, in the place of a name is taken by no route
    anywhere = ("not_found",) if "<" in rule else ()
    for code in dict.fromkeys((*operation.codes, *anywhere)):
        by_status[CODES[code].status or 0].append(code)
    for status, codes in by_status.items():
        made[str(status)] = _problem(codes, made.get(str(status)))
    return dict(sorted(made.items()))


def _problem(codes: list[str], other: Mapping[str, Any] | None) -> dict[str, Any]:
    """Describe the problems of one status, beside another answer with the same."""
    lines = "\n".join(
        f"- [`{code}`](/problems/{page(code)}): {CODES[code].meaning}" for code in codes
    )
    narrowed = {"properties": {"code": {"enum": codes}}}
    content = {"application/problem+json": {"schema": {"allOf": [ref("Problem"), narrowed]}}}
    if other:
        lines = f"{other['description']}\n{lines}"
        content |= other.get("content", {})
    return {"description": lines, "content": content}


def page(code: str) -> str:
    """Return what a code is called in an address."""
    return code.replace("_", "-")


def _webhook(name: str) -> dict[str, Any]:
    body = whole(
        {
            "type": {"const": name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": ref("Job"),
        }
    )
    headers = [
        {"name": key, "in": "header", "required": True, "description": means, "schema": TEXT}
        for key, means in WEBHOOK_HEADERS.items()
    ]
    return {
        "tags": ["Webhooks"],
        "summary": f"Sent to webhook_url: {title(name.partition('.')[2]).lower()}",
        "parameters": headers,
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": "Taken. Anything else, and it is sent again."}},
        "security": [],
    }


def _without_null_defaults(value: Any) -> Any:
    """Drop the defaults that only say that there is none."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if (key, item) != ("default", None)}
        return {key: _without_null_defaults(item) for key, item in kept.items()}
    return [_without_null_defaults(item) for item in value] if isinstance(value, list) else value
