"""The one shape of every error: RFC 9457 problem details, never a traceback."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from flask import Flask, Response, g, has_request_context, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.http import HTTP_STATUS_CODES

from comfy_runner.errors import StorageFailed
from tasks.framework import RecordsUnavailable
from web.tracing import request_id

MOST_ERRORS = 100
"""How many single errors a problem lists at most, so that an answer stays readable."""

_log = logging.getLogger(__name__)

_DETAILS = {
    404: "There is nothing at this address; check the path against the API's documentation.",
    405: "This address does not take this method; the Allow header lists those it takes.",
    412: "What If-Match or If-Unmodified-Since names is not so any more; read it anew.",
}


@dataclass(frozen=True)
class BodyError:
    """What is wrong at one place of the body; `pointer` is a JSON pointer (RFC 6901) to it."""

    pointer: str
    detail: str


@dataclass(frozen=True)
class ParameterError:
    """What is wrong with one query parameter."""

    parameter: str
    detail: str


class ProblemError(Exception):
    """An answer other than success: a stable `code`, and in `detail` what happened, what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Iterable[BodyError | ParameterError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """Return the answer as `application/problem+json`."""
        hidden = len(self.errors) - MOST_ERRORS
        body = {
            "type": f"/problems/{self.code.replace('_', '-')}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": f"{self.detail} ({hidden} more not listed)" if hidden > 0 else self.detail,
            "code": self.code,
            "errors": [asdict(error) for error in self.errors[:MOST_ERRORS]],
            "request_id": request_id(),
        }
        if has_request_context():
            g.problem_code = self.code  # for whoever counts them
        response = Response(json.dumps(body), self.status, mimetype="application/problem+json")
        response.headers.update(self.headers)
        return response


def invalid_parameters(errors: tuple[ParameterError, ...]) -> ProblemError:
    """Return the answer to a query that cannot be understood, naming each parameter."""
    named = "; ".join(f"{error.parameter} {error.detail}" for error in errors)
    detail = f"The query cannot be answered: {named}."
    return ProblemError(400, "invalid_parameter", detail, errors=errors)


def register(app: Flask) -> None:
    """Make every error of `app` a problem."""
    app.register_error_handler(ProblemError, ProblemError.response)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StorageFailed, _unavailable)
    app.register_error_handler(RecordsUnavailable, _unavailable)
    app.register_error_handler(Exception, _unexpected)


def _http_error(error: HTTPException) -> Response:
    """Give werkzeug's own errors our shape, with the headers they need (Allow, Content-Range)."""
    status = error.code or 500
    name = HTTP_STATUS_CODES.get(status, "error")
    code = name.lower().replace(" ", "_").replace("-", "_").replace("'", "")
    detail = _DETAILS.get(status) or error.description or name
    if isinstance(error, RequestEntityTooLarge):
        return _too_large().response()
    headers = {key: value for key, value in error.get_headers() if key != "Content-Type"}
    return ProblemError(status, code, detail, headers=headers).response()


def _too_large() -> ProblemError:
    limit = (request.max_content_length or 0) // 2**20
    detail = (
        f"The body is larger than {limit} MB, the server's limit (MAX_REQUEST_MEGABYTES); send "
        "large input files by URL."
    )
    return ProblemError(413, "request_too_large", detail)


def _unavailable(error: Exception) -> Response:
    """Answer while the place of files or records does not: it is no fault of the request."""
    _log.warning("%s %r was not answered: %s", request.method, request.path, error)
    detail = (
        "The place where files and records are kept does not answer just now; send the request "
        "again, with the same Idempotency-Key if it had one."
    )
    headers = {"Retry-After": "5"}
    return ProblemError(503, StorageFailed.code, detail, headers=headers).response()


def _unexpected(error: Exception) -> Response:
    """Answer for a bug or a failed machine: the log gets everything, the client nothing of it."""
    _log.error("%s %r failed", request.method, request.path, exc_info=error)
    detail = "The server failed to answer; its log says why. Try again, then ask its operator."
    return ProblemError(500, "internal_error", detail).response()
