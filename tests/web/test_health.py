"""The one route for watchers."""

from __future__ import annotations

from flask.testing import FlaskClient

from tests.web.memory_jobs import MemoryJobs


def test_health_is_told_to_anybody(stranger: FlaskClient) -> None:
    response = stranger.get("/health")
    assert response.status_code == 200
    assert response.get_json() == {"status": "ok"}
    assert response.headers["Cache-Control"] == "no-store"


def test_health_does_not_depend_on_jobs(stranger: FlaskClient, jobs: MemoryJobs) -> None:
    jobs.failure = RuntimeError("the store is gone")
    assert stranger.get("/health").status_code == 200


def test_head_is_answered_without_a_body(stranger: FlaskClient) -> None:
    response = stranger.head("/health")
    assert (response.status_code, response.data) == (200, b"")
