"""The id of a request, and the line it leaves in the log."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.conftest import KEY
from tests.web.memory_jobs import MemoryJobs, a_job
from tests.web.problems import problem
from tests.web.real_jobs import RealApi
from web.tracing import request_id, trace

MADE = re.compile("[0-9a-f]{32}")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="web.access")
    return caplog


def fields(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [getattr(each, "fields") for each in caplog.records if each.name == "web.access"]  # noqa: B009


@pytest.mark.parametrize("sent", ["a", "Az09._-", "x" * 128])
def test_the_id_that_a_client_sends_comes_back(stranger: FlaskClient, sent: str) -> None:
    response = stranger.get("/health", headers={"X-Request-Id": sent})
    assert response.headers["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", "a\tb", "é", "a,b", "<b>", "a\x00"])
def test_an_id_that_is_unfit_gives_way_to_a_new_one(stranger: FlaskClient, sent: str) -> None:
    response = stranger.get("/health", headers={"X-Request-Id": sent})
    assert MADE.fullmatch(response.headers["X-Request-Id"])


def test_every_request_has_an_id_of_its_own(stranger: FlaskClient) -> None:
    ids = {stranger.get("/health").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/jobs/none", 404, "job_not_found"),
        ("GET", "/no/such/path", 404, "not_found"),
        ("POST", "/v1/jobs/none", 405, "method_not_allowed"),
        ("POST", "/v1/jobs", 415, "unsupported_media_type"),
    ],
)
def test_a_problem_names_the_request(
    client: FlaskClient, method: str, path: str, status: int, code: str
) -> None:
    response = client.open(path, method=method, headers={"X-Request-Id": "mine"})
    assert problem(response, status, code)["request_id"] == "mine"


def test_a_request_without_a_key_has_an_id_too(stranger: FlaskClient) -> None:
    body = problem(stranger.get("/v1/jobs"), 401, "unauthorized")
    assert MADE.fullmatch(body["request_id"])


def test_a_bug_is_told_under_the_id(client: FlaskClient, jobs: MemoryJobs) -> None:
    jobs.failure = RuntimeError("boom")
    response = client.get("/v1/jobs/job-1", headers={"X-Request-Id": "mine"})
    assert problem(response, 500, "internal_error")["request_id"] == "mine"


def test_outside_of_a_request_there_is_no_id() -> None:
    assert request_id() is None
    assert trace() is None


def test_each_request_leaves_one_line(
    client: FlaskClient, jobs: MemoryJobs, lines: pytest.LogCaptureFixture
) -> None:
    jobs.kept["job-1"] = a_job()
    client.get("/v1/jobs/job-1")
    (told,) = fields(lines)
    assert told.pop("milliseconds") >= 0
    assert told == {
        "method": "GET",
        "path": "/v1/jobs/job-1",
        "route": "/v1/jobs/<job_id>",
        "status": 200,
        "caller": "master",
    }
    assert re.fullmatch(r"GET /v1/jobs/job-1 200 in \d+\.\d ms", lines.messages[-1])


def test_neither_queries_nor_keys_are_logged(
    client: FlaskClient, lines: pytest.LogCaptureFixture
) -> None:
    client.get("/files/a.png?expires=9999999999&signature=hush")
    client.get("/v1/jobs?after=hush")
    assert len(fields(lines)) == 2
    logged = str([vars(each) for each in lines.records])
    assert "hush" not in logged
    assert KEY not in logged


def test_a_path_cannot_break_the_line_or_fill_the_log(
    stranger: FlaskClient, lines: pytest.LogCaptureFixture
) -> None:
    stranger.get("/a%0A2026 forged")
    stranger.get("/" + "x" * 5000)
    stranger.open("/health", method="BREW")
    forged, long, brewed = fields(lines)
    assert forged["path"] == "/a%0A2026%20forged"
    assert forged["route"] == "unknown"
    assert forged["caller"] is None
    assert len(long["path"]) == 500
    assert brewed["method"] == "OTHER"


def test_a_stream_has_an_id_and_a_line(real: RealApi, lines: pytest.LogCaptureFixture) -> None:
    job_id = real.finished()
    response = real.client.get(f"/v1/jobs/{job_id}/events", headers={"X-Request-Id": "mine"})
    assert response.data
    assert response.headers["X-Request-Id"] == "mine"
    assert fields(lines)[-1]["route"] == "/v1/jobs/<job_id>/events"
