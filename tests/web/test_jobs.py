"""/v1/jobs/{id}: how a job is told, and cancelled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask.testing import FlaskClient

from comfy_runner.outputs import Output
from tasks.jobs import JobError, Status
from tasks.metering import Timings
from tests.web.memory_jobs import MemoryJobs, a_job
from tests.web.problems import problem


def test_a_running_job_is_told_as_documented(client: FlaskClient, jobs: MemoryJobs) -> None:
    jobs.kept["job-1"] = a_job(
        status=Status.RUNNING,
        progress=42,
        current_node="53",
        current_step=15,
        total_steps=20,
        nodes_done=3,
        nodes_total=5,
        logs=("[20:01:02] Job started", "[20:01:03] é"),
        started_at=datetime(2026, 1, 2, 5, 4, 6, tzinfo=timezone(timedelta(hours=2))),
        user_id="u1",
        timings=Timings(waiting=1.50001, wake=1.0, warm_up=0.0),
    )
    response = client.get("/v1/jobs/job-1")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.get_json() == {
        "job_id": "job-1",
        "status": "running",
        "queue_position": None,
        "estimated_wait_seconds": None,
        "progress": 42,
        "current_node": "53",
        "current_step": 15,
        "total_steps": 20,
        "nodes_done": 3,
        "nodes_total": 5,
        "outputs": [],
        "logs": ["[20:01:02] Job started", "[20:01:03] é"],
        "error": None,
        "created_at": "2026-01-02T03:04:05.678Z",
        "started_at": "2026-01-02T03:04:06.000Z",
        "completed_at": None,
        "timings": {
            "waiting": 1.5,
            "restore": None,
            "wake": 1.0,
            "warm_up": 0.0,
            "inputs": None,
            "model_load": None,
            "run": None,
            "upload": None,
        },
        "cost": None,
        "user_id": "u1",
        "retry_of": None,
        "webhook": None,
    }


def test_a_failed_job_says_why_and_where(client: FlaskClient, jobs: MemoryJobs) -> None:
    error = JobError("node_failed", "No such model", "4", "Loader", "My loader")
    jobs.kept["job-1"] = a_job(
        status=Status.FAILED, error=error, completed_at=datetime(2026, 1, 2, 3, 5, tzinfo=UTC)
    )
    body = client.get("/v1/jobs/job-1").get_json()
    assert (body["status"], body["completed_at"]) == ("failed", "2026-01-02T03:05:00.000Z")
    assert body["error"] == {
        "code": "node_failed",
        "message": "No such model",
        "node_id": "4",
        "node_type": "Loader",
        "node_title": "My loader",
    }


def test_a_text_output_carries_its_text_and_no_address(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    text = Output("7", "text", "text.txt", "", 5, "text/plain", text="hello")
    jobs.kept["job-1"] = a_job(status=Status.COMPLETED, outputs=(text,))
    assert client.get("/v1/jobs/job-1").get_json()["outputs"] == [
        {
            "filename": "text.txt",
            "url": None,
            "size_bytes": 5,
            "content_type": "text/plain",
            "kind": "text",
            "node_id": "7",
            "width": None,
            "height": None,
            "duration_seconds": None,
            "frames": None,
            "temporary": False,
            "sha256": None,
            "text": "hello",
        }
    ]


def test_an_output_tells_its_size_and_length_and_whether_it_was_only_shown(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    clip = Output("8", "video", "a.mp4", "jobs/a.mp4", 9, "video/mp4")
    clip = replace(clip, width=64, height=48, duration_seconds=1.5, frames=36, is_temp=True)
    jobs.kept["job-1"] = a_job(status=Status.COMPLETED, outputs=(clip,))
    (told,) = client.get("/v1/jobs/job-1").get_json()["outputs"]
    facts = ("width", "height", "duration_seconds", "frames", "temporary")
    assert [told[each] for each in facts] == [64, 48, 1.5, 36, True]


UNKNOWN = ["job-9", "..", "%2e%2e%2fx", "a%00b", "%F0%9F%98%80", "a" * 5000, "'%20OR%201=1", "%FF"]


@pytest.mark.parametrize("job_id", UNKNOWN)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_job_is_not_found(client: FlaskClient, method: str, job_id: str) -> None:
    response = client.open(f"/v1/jobs/{job_id}", method=method)
    assert response.status_code == 404
    assert response.get_json()["code"] in {"job_not_found", "not_found"}


def test_a_job_whose_first_submission_was_abandoned_is_found_under_its_new_id(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    jobs.kept["job-1+"] = a_job("job-1+")
    assert client.get("/v1/jobs/job-1+").get_json()["job_id"] == "job-1+"
    assert client.delete("/v1/jobs/job-1%2B").get_json()["status"] == "cancelled"


def test_an_id_that_no_job_can_have_never_reaches_the_store(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    jobs.failure = ValueError("what a key")
    problem(client.get("/v1/jobs/a:b"), 404, "job_not_found")
    problem(client.delete("/v1/jobs/a%00b"), 404, "job_not_found")


def test_a_job_is_cancelled_once_and_stays_so(client: FlaskClient, jobs: MemoryJobs) -> None:
    jobs.kept["job-1"] = a_job()
    for _ in range(2):
        response = client.delete("/v1/jobs/job-1")
        assert (response.status_code, response.get_json()["status"]) == (200, "cancelled")
    assert jobs.kept["job-1"].status == Status.CANCELLED


def test_cancelling_a_finished_job_tells_how_it_ended(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    jobs.kept["job-1"] = a_job(status=Status.COMPLETED, progress=100)
    response = client.delete("/v1/jobs/job-1")
    assert (response.status_code, response.get_json()["status"]) == (200, "completed")
