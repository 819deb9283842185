"""GET /v1/jobs/{id}: told only when it is news, as soon as it is; and the log."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from comfy_runner.outputs import Output
from tasks.framework import State
from tasks.jobs import Status
from tests.web.memory_jobs import MemoryJobs, a_job
from tests.web.problems import problem
from tests.web.real_jobs import RealApi


def get(real: RealApi, job_id: str, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return real.client.get(f"/v1/jobs/{job_id}", headers=named)


def test_a_job_that_is_as_it_was_is_not_told_again(real: RealApi) -> None:
    first = get(real, job_id := real.submit())
    assert first.headers["ETag"].startswith('W/"')

    again = get(real, job_id, If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_every_visible_change_is_told_under_a_new_etag(real: RealApi) -> None:
    tags: list[str] = []

    def told() -> None:
        answer = get(real, job_id, If_None_Match=", ".join(tags))
        assert answer.status_code == 200
        tags.append(answer.headers["ETag"])

    earlier, job_id = real.submit(), real.submit()
    told()
    real.client.delete(f"/v1/jobs/{earlier}")
    told()  # it has moved up in the queue
    claimed = real.start(job_id)
    told()
    claimed = real.report(claimed, progress=30)
    told()
    claimed = real.report(claimed, "a line")
    told()
    real.end(claimed)
    told()


def test_the_countdown_of_a_wait_is_no_news(client: FlaskClient, jobs: MemoryJobs) -> None:
    jobs.kept["job-1"] = a_job(estimated_wait_seconds=9)
    tag = client.get("/v1/jobs/job-1").headers["ETag"]
    jobs.kept["job-1"] = a_job(estimated_wait_seconds=8)
    assert client.get("/v1/jobs/job-1", headers={"If-None-Match": tag}).status_code == 304


def test_new_signatures_of_the_same_links_are_no_news(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    image = Output("7", "image", "a.png", "outputs/j/a.png", 5, "image/png")
    jobs.kept["job-1"] = job = a_job(status=Status.COMPLETED, outputs=(image,))
    tag = client.get("/v1/jobs/job-1").headers["ETag"]
    assert client.get("/v1/jobs/job-1").headers["ETag"] == tag
    other = replace(image, key="outputs/j/b.png")
    jobs.kept["job-1"] = replace(job, outputs=(other,))
    assert client.get("/v1/jobs/job-1").headers["ETag"] != tag


@pytest.mark.parametrize("wait", ["-1", "51", "1.5", "x", "", "1&wait=2"])
def test_a_wait_that_makes_no_sense_is_refused(real: RealApi, wait: str) -> None:
    body = problem(get(real, f"{real.submit()}?wait={wait}"), 400, "invalid_parameter")
    assert [each["parameter"] for each in body["errors"]] == ["wait"]
    assert "0 to 50" in body["detail"]


@pytest.mark.parametrize("wait", ["0", "1"])
def test_a_wait_that_nothing_ends_tells_the_job_as_it_was(real: RealApi, wait: str) -> None:
    first = get(real, job_id := real.submit())
    answer = get(real, f"{job_id}?wait={wait}")
    assert (answer.status_code, answer.get_json()) == (200, first.get_json())
    tag = first.headers["ETag"]
    assert get(real, f"{job_id}?wait={wait}", If_None_Match=tag).status_code == 304


@pytest.mark.parametrize("change", ["start", "cancel"])
def test_a_wait_ends_with_the_first_change(real: RealApi, change: str) -> None:
    job_id = real.submit()
    path = f"/v1/jobs/{job_id}"
    changes = {"start": lambda: real.start(job_id), "cancel": lambda: real.client.delete(path)}
    timer = threading.Timer(0.2, changes[change])
    timer.start()
    answer = get(real, f"{job_id}?wait=50")  # the suite's own limit would end it
    timer.join()
    assert answer.get_json()["status"] == {"start": "running", "cancel": "cancelled"}[change]


def test_a_wait_ends_with_progress_too(real: RealApi) -> None:
    claimed = real.start(job_id := real.submit())
    timer = threading.Timer(0.2, real.report, [claimed], {"progress": 50})
    timer.start()
    assert get(real, f"{job_id}?wait=50").get_json()["progress"] == 50
    timer.join()


def test_who_knows_an_older_state_does_not_wait(real: RealApi) -> None:
    tag = get(real, job_id := real.submit()).headers["ETag"]
    real.start(job_id)
    answer = get(real, f"{job_id}?wait=50", If_None_Match=tag)
    assert answer.get_json()["status"] == "running"


def test_nobody_waits_for_a_job_that_has_ended(real: RealApi) -> None:
    assert get(real, f"{real.finished()}?wait=50").get_json()["status"] == "completed"


def test_a_wait_for_an_unknown_job_ends_at_once(real: RealApi) -> None:
    problem(get(real, "nobody?wait=50"), 404, "job_not_found")


@pytest.mark.parametrize("name", ["waitress.client_disconnected", "comfy.server_stopping"])
def test_a_wait_is_broken_off_when_it_is_no_use(real: RealApi, name: str) -> None:
    path = f"/v1/jobs/{real.submit()}?wait=50"
    assert real.client.get(path, environ_overrides={name: lambda: True}).status_code == 200


def test_the_place_in_the_queue_is_told(real: RealApi) -> None:
    ids = [real.submit() for _ in range(3)]
    places = [get(real, each).get_json()["queue_position"] for each in ids]
    assert places == [1, 2, 3]

    real.client.delete(f"/v1/jobs/{ids[0]}")
    assert get(real, ids[2]).get_json()["queue_position"] == 2
    assert get(real, ids[0]).get_json()["queue_position"] is None
    real.start(ids[1])
    assert get(real, ids[1]).get_json()["queue_position"] is None


def test_the_log_is_text_unless_json_is_preferred(real: RealApi) -> None:
    claimed = real.report(real.start(job_id := real.submit()), "[20:01:02] é", "[20:01:03] b")
    real.end(claimed, State.FAILED)

    text = get(real, f"{job_id}/logs")
    assert text.content_type == "text/plain; charset=utf-8"
    assert text.text == "[20:01:02] é\n[20:01:03] b\n"
    assert text.headers["Vary"] == "Accept"
    told = get(real, f"{job_id}/logs", Accept="application/json").get_json()
    assert told == {"job_id": job_id, "logs": ["[20:01:02] é", "[20:01:03] b"]}
    problem(get(real, "nobody/logs"), 404, "job_not_found")


def test_a_job_that_is_not_as_the_client_wants_it_is_a_problem(real: RealApi) -> None:
    path = f"/v1/jobs/{real.submit()}"
    problem(real.client.get(path, headers={"If-Match": '"another"'}), 412, "precondition_failed")
