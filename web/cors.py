"""Which web pages may call the API from a browser: those of the origins that are allowed."""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask, Response, request

METHODS = "DELETE, GET, HEAD, POST"
SENT = (
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Range, "
    "X-API-Key, X-Request-Id"
)
TOLD = (
    "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, "
    "Idempotency-Replayed, Link, Location, Retry-After, WWW-Authenticate, X-Request-Id"
)
KEPT_SECONDS = 600
"""How long a browser may remember what a preflight said."""


def allow(app: Flask, origins: Collection[str]) -> None:
    """Let pages of `origins` read the answers of `app`; to be called before keys are asked for.

    No cookies and no client certificates: a page sends its key itself. What is answered is the
    same for every path, so that a preflight, which has no key, tells nothing.
    https://fetch.spec.whatwg.org/#http-cors-protocol
    """
    if not origins:
        return
    allowed = frozenset(origins)

    def answer_preflight() -> Response | None:
        asks = "Access-Control-Request-Method" in request.headers
        if request.method != "OPTIONS" or not asks or not _is_of(allowed):
            return None
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = METHODS
        response.headers["Access-Control-Allow-Headers"] = SENT
        response.headers["Access-Control-Max-Age"] = str(KEPT_SECONDS)
        return response

    def mark(response: Response) -> Response:
        response.vary.add("Origin")
        if _is_of(allowed):
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = TOLD
        return response

    app.before_request(answer_preflight)
    app.after_request(mark)


def _is_of(allowed: Collection[str]) -> bool:
    return request.headers.get("Origin") in allowed
