"""One shape for every error, whoever raised it."""

from __future__ import annotations

import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient

from comfy_runner.errors import StorageFailed
from tasks.framework import RecordsUnavailable
from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import places, problem
from web import errors
from web.errors import MOST_ERRORS, BodyError, ProblemError


def test_an_unknown_path_is_a_problem(client: FlaskClient) -> None:
    problem(client.get("/v2/jobs"), 404, "not_found")
    problem(client.get("/"), 404, "not_found")
    problem(client.get("/v1/jobs/"), 404, "not_found")
    problem(client.get("//v1//jobs"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("POST", "/v1/jobs/job-1", {"DELETE", "GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/health", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_another_method_is_a_problem_that_lists_the_right_ones(
    client: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    response = client.open(path, method=method)
    problem(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == allowed


def test_options_lists_the_methods(client: FlaskClient) -> None:
    response = client.options("/v1/jobs")
    assert response.status_code == 200
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_a_head_request_for_nothing_has_no_body(client: FlaskClient) -> None:
    response = client.head("/v1/jobs/job-9")
    assert (response.status_code, response.data) == (404, b"")
    assert response.content_type == "application/problem+json"


def test_a_bug_is_logged_whole_and_told_as_nothing(
    client: FlaskClient, jobs: MemoryJobs, caplog: pytest.LogCaptureFixture
) -> None:
    jobs.failure = RuntimeError("the password is in /etc/secret")
    with caplog.at_level(logging.ERROR):
        response = client.get("/v1/jobs/job-1")
    body = problem(response, 500, "internal_error")
    assert "secret" not in str(body)
    assert "/v1/jobs/job-1" in caplog.text
    assert "the password is in /etc/secret" in caplog.text
    assert "Traceback" in caplog.text


def test_a_path_cannot_forge_lines_of_the_log(
    client: FlaskClient, jobs: MemoryJobs, caplog: pytest.LogCaptureFixture
) -> None:
    jobs.failure = RuntimeError("broken")
    client.get("/v1/jobs?user_id=a%0Ab")
    client.get("/v1/jobs/%0AERROR%20forged")
    assert "\nERROR forged" not in caplog.text


def test_a_huge_list_of_errors_is_cut_and_counted() -> None:
    app = Flask(__name__)
    errors.register(app)
    faults = [BodyError(f"/{n}", "wrong") for n in range(MOST_ERRORS + 7)]

    @app.get("/")
    def fail() -> str:
        raise ProblemError(422, "invalid_request", "Much is wrong", errors=faults)

    body = app.test_client().get("/").get_json()
    assert places(body) == [f"/{n}" for n in range(MOST_ERRORS)]
    assert body["detail"] == "Much is wrong (7 more not listed)"


def test_errors_of_werkzeug_keep_their_headers() -> None:
    app = Flask(__name__)
    errors.register(app)

    @app.get("/")
    def refuse() -> str:
        from werkzeug.exceptions import RequestedRangeNotSatisfiable  # noqa: PLC0415

        raise RequestedRangeNotSatisfiable(length=10)

    response = app.test_client().get("/")
    assert response.headers["Content-Range"] == "bytes */10"
    assert response.get_json()["status"] == 416


@pytest.mark.parametrize("error", [StorageFailed("gone"), RecordsUnavailable("gone")])
def test_a_place_of_files_or_records_that_is_away_is_no_fault_of_the_request(
    client: FlaskClient, jobs: MemoryJobs, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    jobs.failure = error
    response = client.get("/v1/jobs/job-1")
    body = problem(response, 503, "storage_failed")
    assert response.headers["Retry-After"] == "5"
    assert "send the request again" in body["detail"]
    assert "'/v1/jobs/job-1' was not answered: gone" in caplog.text
