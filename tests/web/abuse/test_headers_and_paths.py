"""Malformed headers, queries, methods and paths: refused or overlooked, and never a failure."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import product

import pytest
from flask.testing import FlaskClient

from tests.web.event_stream import Server, served
from tests.web.problems import problem
from tests.web.real_jobs import RealApi

STRANGE = [
    "",
    " ",
    "\t",
    ",",
    ";;;",
    "=",
    '"',
    "'",
    "*",
    "%",
    "\x7f",
    "\x80\xff",
    "é",
    "null",
    "-1",
    "NaN",
    "9" * 400,
    "x" * 20_000,
    "a=b; c" * 500,
    "../../etc/passwd",
    "${jndi:ldap://x}",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "W/",
    'W/"',
    "bytes=",
    "bytes=a-b",
    "bytes=-",
    "bytes=5-1",
    "bytes=0-1," * 200,
    "Mon, 99 Foo 0000 99:99:99 GMT",
]

HEADERS = [
    "Accept",
    "Accept-Charset",
    "Accept-Encoding",
    "Accept-Language",
    "Access-Control-Request-Method",
    "Cookie",
    "Content-Encoding",
    "Content-Type",
    "Date",
    "Expect",
    "Forwarded",
    "Host",
    "Idempotency-Key",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Last-Event-ID",
    "Origin",
    "Prefer",
    "Range",
    "Referer",
    "User-Agent",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-HTTP-Method-Override",
    "X-Request-Id",
]


@pytest.mark.parametrize("header", HEADERS)
def test_no_header_makes_the_service_fail(real: RealApi, header: str) -> None:
    job_id = real.finished()
    for value in STRANGE:
        for method, path in (("GET", f"/v1/jobs/{job_id}"), ("POST", "/v1/jobs")):
            answer = real.client.open(path, method=method, data=b"{}", headers={header: value})
            assert answer.status_code < 500, (header, value)
            assert "\n" not in answer.headers["X-Request-Id"]
    assert real.client.get(f"/v1/jobs/{job_id}").status_code == 200


def test_no_header_turns_one_method_into_another(real: RealApi) -> None:
    job_id = real.finished()
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        real.client.get(f"/v1/jobs/{job_id}?purge=true", headers={name: "DELETE"})
        real.client.post(f"/v1/jobs/{job_id}?_method=DELETE&purge=true", headers={name: "DELETE"})
    assert real.client.get(f"/v1/jobs/{job_id}").status_code == 200


NAMES = [
    "..",
    "../jobs",
    "%2e%2e",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%5c..%5cboot.ini",
    "%00",
    "a%00b",
    "%0a",
    "%0d%0aX-Injected:%201",
    "%ff",
    "%c0%ae%c0%ae",
    "%u002e",
    "%",
    "%zz",
    "~",
    "*",
    "?",
    "#",
    "a;b=c",
    "a:b",
    "a b",
    "é",
    "\u202e",
    "CON",
    "-",
    ".",
    "x" * 5000,
    "%25" * 500,
    "null",
    "__proto__",
    "{{7*7}}",
]


def test_no_name_in_an_address_leads_anywhere(real: RealApi) -> None:
    for rule, name in product(list(real.app.url_map.iter_rules()), NAMES):
        for method in sorted((rule.methods or set()) - {"OPTIONS"}) if rule.arguments else ():
            path = rule.rule
            for argument in ("<job_id>", "<name>", "<path:key>"):
                path = path.replace(argument, name)
            answer = real.client.open(path, method=method)
            # a name of nothing leaves the address of the list above it
            assert answer.status_code in {400, 403, 404, 405} or name in {"?", "#"}, path
            assert answer.status_code < 500
            assert "X-Injected" not in answer.headers
            assert b"root:" not in answer.data


@pytest.mark.parametrize(
    "query",
    [
        "limit=",
        "limit=-1",
        "limit=0",
        "limit=201",
        "limit=1e2",
        "limit=٣",
        "limit=1&limit=2",
        "limit[]=1",
        "status=",
        "status=queued,,",
        "status=QUEUED",
        "after=%00",
        "after=" + "A" * 401,
        "after=../../x",
        "created_after=2026-13-01T00:00:00Z",
        "created_after=now",
        "created_before=9999-12-31T23:59:60Z",
        "created_before=0001-01-01T00:00:00%2B23:59",
        "user_id=",
        "user_id=%00",
        "user_id=" + "x" * 201,
        "nothing=1",
        "__proto__[x]=1",
        "%ff=1",
        "=1",
    ],
)
def test_a_query_that_means_nothing_is_refused_by_name(client: FlaskClient, query: str) -> None:
    body = problem(client.get(f"/v1/jobs?{query}"), 400, "invalid_parameter")
    assert all(set(each) == {"parameter", "detail"} for each in body["errors"])
    assert body["errors"]


# -- over the line: what a client library would not even send ---------------------------------


@pytest.fixture
def server(real: RealApi) -> Iterator[Server]:
    with served(real) as server:
        yield server


def said_to(server: Server, request: bytes) -> bytes:
    """Return all that the server answers to these bytes, until it hangs up."""
    port = int(server.url.rpartition(":")[2])
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
        suppress(ConnectionError),  # it need not hear all of what it refuses
    ):
        connection.sendall(request)
        with suppress(OSError):  # it may have hung up already, with its answer on the way
            connection.shutdown(socket.SHUT_WR)
        for part in iter(lambda: connection.recv(65536), b""):
            answer += part
    return answer


BROKEN = {
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a blank before the colon": b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
    "no colon": b"GET /health HTTP/1.1\r\nHost x\r\n\r\n",
    "a bare line feed": b"GET /health HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
    "a bare carriage return": b"GET /health HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
    "two lengths": b"POST /v1/jobs HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length with a sign": b"POST /v1/jobs HTTP/1.1\r\nContent-Length: +2\r\n\r\n{}",
    "a negative length": b"POST /v1/jobs HTTP/1.1\r\nContent-Length: -2\r\n\r\n{}",
    "a length of no number": b"POST /v1/jobs HTTP/1.1\r\nContent-Length: two\r\n\r\n{}",
    "an endless length": b"POST /v1/jobs HTTP/1.1\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n",
    "an unknown coding": b"POST /v1/jobs HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n{}",
    "a chunk of no number": b"POST /v1/jobs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n{}",
    "headers without end": b"GET /health HTTP/1.1\r\n" + b"X: " + b"y" * 300_000 + b"\r\n\r\n",
    "an address without end": b"GET /" + b"y" * 300_000 + b" HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("request_", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_request_is_refused_and_the_next_one_answered(
    server: Server, request_: bytes
) -> None:
    answer = said_to(server, request_)
    status = answer.split(b" ", 2)[1] if answer.startswith(b"HTTP/1.") else b""
    assert status in {b"", b"400", b"401", b"413", b"431", b"501", b"505"}, answer[:200]
    assert b"Traceback" not in answer
    assert server.get("/health").json() == {"status": "ok"}
