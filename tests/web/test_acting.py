"""POST /v1/jobs/{id}/retry, DELETE ?purge=true, and a time limit of a job's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfy_runner.bucket import Bucket
from tasks.framework import State
from tests.web.problems import places, problem
from tests.web.real_jobs import GRAPH, OUTPUT, RealApi

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def test_an_ended_job_is_sent_again_as_a_new_one(real: RealApi) -> None:
    job_id = real.submit(user_id="u", timeout_seconds=7)
    real.end(real.start(job_id), State.FAILED)

    answer = real.client.post(f"/v1/jobs/{job_id}/retry")
    assert answer.status_code == 202
    again = answer.get_json()
    assert answer.headers["Location"].endswith(f"/v1/jobs/{again['job_id']}")
    assert again["job_id"] != job_id
    assert (again["status"], again["retry_of"], again["user_id"]) == ("queued", job_id, "u")

    claimed = real.start(again["job_id"])
    assert claimed.job.args[0]["graph"] == GRAPH
    assert claimed.job.timeout == 7
    running = real.client.get(f"/v1/jobs/{again['job_id']}").get_json()
    assert (running["status"], running["retry_of"]) == ("running", job_id)
    assert real.client.get(f"/v1/jobs/{job_id}").get_json()["retry_of"] is None


@pytest.mark.parametrize("running", [False, True])
def test_a_job_that_has_not_ended_is_neither_sent_again_nor_deleted(
    real: RealApi, running: bool
) -> None:
    job_id = real.submit()
    if running:
        real.start(job_id)
    problem(real.client.post(f"/v1/jobs/{job_id}/retry"), 409, "job_not_ended")
    problem(real.client.delete(f"/v1/jobs/{job_id}?purge=true"), 409, "job_not_ended")
    assert real.client.get(f"/v1/jobs/{job_id}").status_code == 200


def test_a_job_whose_files_are_gone_is_not_sent_again(real: RealApi, bucket: Bucket) -> None:
    media = [{"name": "a.png", "data": PIXEL}]
    job_id = real.submit(media=media)
    claimed = real.start(job_id)
    real.end(claimed)
    assert real.client.post(f"/v1/jobs/{job_id}/retry").status_code == 202

    bucket.delete(claimed.job.args[0]["media"][0]["key"])
    answer = problem(real.client.post(f"/v1/jobs/{job_id}/retry"), 410, "inputs_gone")
    assert "'a.png'" in answer["detail"]


def test_sending_again_counts_against_the_users_limit(real: RealApi) -> None:
    ended = real.finished(user_id="u")
    for _ in range(3):
        assert real.client.post(f"/v1/jobs/{ended}/retry").status_code == 202
    problem(real.client.post(f"/v1/jobs/{ended}/retry"), 429, "job_limit_reached")


def test_a_retry_takes_no_body_but_an_empty_one(real: RealApi) -> None:
    path = f"/v1/jobs/{real.finished()}/retry"
    assert real.client.post(path, json={}).status_code == 202
    assert places(problem(real.client.post(path, json={"a": 1}), 422, "invalid_request")) == [""]
    problem(real.client.post(path, data="x"), 415, "unsupported_media_type")
    problem(real.client.post("/v1/jobs/nobody/retry"), 404, "job_not_found")


def test_a_purged_job_leaves_neither_record_nor_files(
    real: RealApi, bucket: Bucket, tmp_path: Path
) -> None:
    job_id = real.submit()
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    kept, gone = "outputs/another/a.png", f"outputs/{job_id}/1/a.png"
    for key in (kept, gone):
        bucket.put(key, file, content_type="image/png", filename="a.png")
    real.end(real.start(job_id), State.SUCCEEDED, OUTPUT | {"key": gone})

    path = f"/v1/jobs/{job_id}"
    answer = real.client.delete(f"{path}?purge=true")
    assert (answer.status_code, answer.data) == (204, b"")
    assert (bucket.stored_at(gone), bucket.stored_at(kept) is None) == (None, False)
    for request in (path, f"{path}/logs", f"{path}/events"):
        problem(real.client.get(request), 404, "job_not_found")
    problem(real.client.delete(path), 404, "job_not_found")
    problem(real.client.delete(f"{path}?purge=true"), 404, "job_not_found")
    assert real.client.get("/v1/jobs").get_json()["jobs"] == []


@pytest.mark.parametrize("query", ["purge=yes", "purge=", "purge=true&purge=true", "force=true"])
def test_a_deletion_that_makes_no_sense_does_nothing(real: RealApi, query: str) -> None:
    path = f"/v1/jobs/{real.submit()}"
    body = problem(real.client.delete(f"{path}?{query}"), 400, "invalid_parameter")
    assert [each["parameter"] for each in body["errors"]] == [query.partition("=")[0]]
    assert real.client.get(path).get_json()["status"] == "queued"


def test_without_a_purge_a_deletion_only_cancels(real: RealApi) -> None:
    path = f"/v1/jobs/{real.submit()}"
    for query in ("", "?purge=false"):
        assert real.client.delete(path + query).get_json()["status"] == "cancelled"


def test_a_job_may_have_a_shorter_time_limit_of_its_own(real: RealApi) -> None:
    limits = [
        real.start(real.submit(timeout_seconds=seconds)).job.timeout for seconds in (5, 600, None)
    ]
    assert limits == [5, 600, 600]


@pytest.mark.parametrize("seconds", [0, -1, 601, 1.5, "5", True, [5]])
def test_no_other_time_limit_is_taken(real: RealApi, seconds: object) -> None:
    body = {"workflow": GRAPH, "timeout_seconds": seconds}
    answer = problem(real.client.post("/v1/jobs", json=body), 422, "invalid_request")
    assert places(answer) == ["/timeout_seconds"]
