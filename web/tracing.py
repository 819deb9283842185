"""Every request has an id, and leaves one line in the log when its answer begins."""

from __future__ import annotations

import logging
import re
import time
import uuid
from dataclasses import dataclass
from urllib.parse import quote

from flask import Flask, Response, g, has_request_context, request

HEADER = "X-Request-Id"

LONGEST_PATH = 500
"""How many characters of a path are logged."""

UNKNOWN = "unknown"
"""The route of a request that no route takes."""

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

_log = logging.getLogger("web.access")


@dataclass(frozen=True)
class Trace:
    """A request under way: its id, and when it came, by ``time.monotonic``."""

    request_id: str
    began: float

    @property
    def seconds(self) -> float:
        """How long ago it came."""
        return time.monotonic() - self.began


def register(app: Flask) -> None:
    """Trace every request to `app`; to be called before anything else looks at requests."""
    app.before_request(_begin)
    app.after_request(_end)


def trace() -> Trace | None:
    """Return the trace of the request at hand, if there is one."""
    found: Trace | None = g.get("trace") if has_request_context() else None
    return found


def request_id() -> str | None:
    """Return the id of the request at hand, if there is one."""
    found = trace()
    return found.request_id if found else None


def route() -> str:
    """Return the route of the request at hand with the names of what varies in it."""
    return str(request.url_rule) if request.url_rule else UNKNOWN


def method() -> str:
    """Return the method of the request at hand; all that nobody has heard of are one."""
    return request.method if request.method in METHODS else "OTHER"


def _begin() -> None:
    """Take the client's own id if it is fit for headers and logs, or make one."""
    sent = request.headers.get(HEADER, "")
    chosen = sent if _ID.fullmatch(sent) else uuid.uuid4().hex
    g.trace = Trace(chosen, time.monotonic())


def _end(response: Response) -> Response:
    found = trace()
    if found is None:  # the request was broken off before it had begun
        return response
    response.headers[HEADER] = found.request_id
    path = quote(request.path)[:LONGEST_PATH]  # without the query: signatures are in it
    told = {
        "method": method(),
        "path": path,
        "route": route(),
        "status": response.status_code,
        "milliseconds": round(found.seconds * 1000, 1),
        "caller": g.get("caller"),
    }
    line = "%s %s %d in %.1f ms"
    shown = (told["method"], path, response.status_code, told["milliseconds"])
    _log.info(line, *shown, extra={"fields": told})
    return response
