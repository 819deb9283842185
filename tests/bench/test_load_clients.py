"""The clients of the load bench count right: what is late, what is wrong, what never came."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.load_clients import Load, Request, Target
from tests.web.told_api import Api


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.close()


def test_milliseconds_and_rates_are_of_the_answers_that_were_right() -> None:
    load = Load.of([n / 1000 for n in range(1, 102)], errors=3, elapsed=2.0)
    assert (load.errors, load.per_second) == (3, 50.5)
    assert load.p50 == pytest.approx(51.0)
    assert load.p99 == pytest.approx(100.0)


def test_every_request_is_sent_once_with_the_key(api: Api) -> None:
    api.answer = (201, {}, b"{}")
    load = Target(api.url, "k").put_under(Request("POST", "/jobs", {"a": 1}, 201), 10, clients=3)
    assert (load.errors, len(api.requests)) == (0, 10)
    method, path, headers, body = api.requests[0]
    assert (method, path, body) == ("POST", "/jobs", b'{"a": 1}')
    assert headers["Authorization"] == "Bearer k"


def test_another_status_is_an_error(api: Api) -> None:
    api.answer = (503, {}, b"{}")
    assert Target(api.url, "k").put_under(Request("GET", "/"), 5, clients=2).errors == 5
    with pytest.raises(RuntimeError, match="answered 503"):
        Target(api.url, "k").send(Request("GET", "/"))
    with Target(api.url, "k").streams("/events", 3) as opened:
        assert opened.errors == 3


def test_a_connection_that_breaks_is_an_error_and_the_next_is_made(api: Api) -> None:
    api.answer = (200, {"Content-Length": "10", "Connection": "close"}, b"{}")
    load = Target(api.url, "k").put_under(Request("GET", "/"), 4, clients=2)
    assert (load.errors, len(api.requests)) == (4, 4)
