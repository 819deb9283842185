"""The Idempotency-Key header: a request that is sent again makes no second job."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.web.problems import problem
from tests.web.real_jobs import GRAPH, RealApi


def post(real: RealApi, key: str | None = "k-1", **body: Any) -> TestResponse:
    headers = {} if key is None else {"Idempotency-Key": key}
    return real.client.post("/v1/jobs", json={"workflow": GRAPH} | body, headers=headers)


def test_the_same_request_is_answered_with_the_same_job_as_it_is_now(real: RealApi) -> None:
    first = post(real)
    assert first.status_code == 202
    assert "Idempotency-Replayed" not in first.headers
    job_id = first.get_json()["job_id"]
    real.start(job_id)

    again = post(real)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.headers["Location"] == first.headers["Location"]
    assert (again.get_json()["job_id"], again.get_json()["status"]) == (job_id, "running")
    assert len(real.client.get("/v1/jobs").get_json()["jobs"]) == 1


def test_the_order_of_keys_makes_no_other_request(real: RealApi) -> None:
    texts = ('{"workflow": %s, "user_id": "u"}', '{"user_id": "u",  "workflow": %s}')
    graph = '{"1": {"class_type": "X", "inputs": {}}}'
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    made = [real.client.post("/v1/jobs", data=each % graph, headers=headers) for each in texts]
    assert len({each.get_json()["job_id"] for each in made}) == 1


def test_another_request_with_the_same_key_is_refused(real: RealApi) -> None:
    first = post(real)
    problem(post(real, user_id="another"), 422, "idempotency_key_reused")
    path = f"/v1/jobs/{first.get_json()['job_id']}/retry"
    retry = real.client.post(path, headers={"Idempotency-Key": "k-1"})
    problem(retry, 422, "idempotency_key_reused")


def test_another_key_or_none_makes_another_job(real: RealApi) -> None:
    made = [post(real, key) for key in ("k-1", "k-2", None, None)]
    assert len({each.get_json()["job_id"] for each in made}) == 4


@pytest.mark.parametrize("body", [{"user_id": 7}, {"workflow": {}}, {"media": [{"name": "a"}]}])
def test_a_refused_request_leaves_its_key_free(real: RealApi, body: dict[str, Any]) -> None:
    assert post(real, **body).status_code == 422
    assert post(real).status_code == 202


def test_a_user_at_the_limit_may_send_the_same_request_later(real: RealApi) -> None:
    active = [real.submit(user_id="u") for _ in range(3)]
    problem(post(real, user_id="u"), 429, "job_limit_reached")
    real.client.delete(f"/v1/jobs/{active[0]}")
    assert post(real, user_id="u").status_code == 202


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 201, "schl\xfcssel", "a\tb"])
def test_a_key_that_cannot_be_one_is_refused(real: RealApi, key: str) -> None:
    assert "200 visible" in problem(post(real, key), 400, "invalid_header")["detail"]


def test_a_key_may_be_any_visible_text(real: RealApi) -> None:
    for key in ("k" * 200, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "~!"):
        assert post(real, key).status_code == 202


def test_a_retry_that_is_sent_again_makes_no_second_job(real: RealApi) -> None:
    path = f"/v1/jobs/{real.finished()}/retry"
    first, again = (real.client.post(path, headers={"Idempotency-Key": "r"}) for _ in range(2))
    assert first.get_json() == again.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"


def test_the_key_of_a_deleted_job_is_free(real: RealApi) -> None:
    job_id = post(real).get_json()["job_id"]
    real.end(real.start(job_id))
    assert real.client.delete(f"/v1/jobs/{job_id}?purge=true").status_code == 204

    made = post(real)
    assert "Idempotency-Replayed" not in made.headers
    assert made.get_json()["job_id"] != job_id


def test_a_retry_of_a_job_with_a_key_is_not_that_keys_job(real: RealApi) -> None:
    job_id = post(real).get_json()["job_id"]
    real.end(real.start(job_id))
    again = real.client.post(f"/v1/jobs/{job_id}/retry").get_json()["job_id"]
    real.end(real.start(again))
    assert real.client.delete(f"/v1/jobs/{again}?purge=true").status_code == 204
    assert post(real).get_json()["job_id"] == job_id
