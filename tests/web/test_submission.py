"""POST /v1/jobs: which bodies become jobs, and what the refused ones are told."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from comfy_runner.bucket import Bucket
from settings import Settings
from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import places, problem
from web import create_app

WORKFLOW: dict[str, Any] = {
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny.safetensors"}},
}


def post(client: FlaskClient, **body: Any) -> TestResponse:
    return client.post("/v1/jobs", json={"workflow": WORKFLOW} | body)


def fields_of(body: dict[str, Any]) -> dict[str, str]:
    return {error["pointer"]: error["detail"] for error in body["errors"]}


def test_a_workflow_is_accepted_as_a_queued_job(client: FlaskClient, jobs: MemoryJobs) -> None:
    response = post(client, user_id="u1")
    assert response.status_code == 202
    assert response.headers["Location"] == "http://localhost/v1/jobs/job-1"
    assert response.headers["Cache-Control"] == "no-store"
    body = response.get_json()
    assert (body["job_id"], body["status"], body["user_id"]) == ("job-1", "queued", "u1")
    assert jobs.submitted == [WORKFLOW]


def test_the_whole_documented_body_is_accepted(client: FlaskClient, jobs: MemoryJobs) -> None:
    override = {"node": "6", "field": "text", "value": "a dog", "type": "raw"}
    response = post(client, inputs=[override], media=[], user_id="u1", webhook_url=None)
    assert response.status_code == 202
    assert jobs.submitted[0]["6"]["inputs"]["text"] == "a dog"
    assert jobs.submitted[0]["6"]["inputs"]["clip"] == ["4", 1]


def test_an_override_is_raw_unless_told_otherwise(client: FlaskClient, jobs: MemoryJobs) -> None:
    response = post(client, inputs=[{"node": "6", "field": "text", "value": None}])
    assert response.status_code == 202
    assert jobs.submitted[0]["6"]["inputs"]["text"] is None


def test_a_location_follows_the_public_url(
    settings: Settings, jobs: MemoryJobs, bucket: Bucket
) -> None:
    public = settings.replace(public_url="https://example.com/comfy")
    app = create_app(public, jobs=jobs, bucket=bucket)
    headers = {"Authorization": f"Bearer {settings.api_key}"}
    response = app.test_client().post("/v1/jobs", json={"workflow": WORKFLOW}, headers=headers)
    assert response.headers["Location"] == "https://example.com/comfy/v1/jobs/job-1"


def test_without_a_usable_host_a_location_is_relative(client: FlaskClient) -> None:
    response = client.post("/v1/jobs", json={"workflow": WORKFLOW}, headers={"Host": "a b<c>"})
    assert response.headers["Location"] == "/v1/jobs/job-1"


def test_everything_wrong_is_told_at_once(client: FlaskClient, jobs: MemoryJobs) -> None:
    response = client.post(
        "/v1/jobs",
        json={
            "workflow": {"3": {"inputs": {"model": ["9", 0]}}},
            "inputs": [{"node": 6, "value": 1}, "text", None],
            "user_id": "",
            "webhook": "https://example.com",
            "a/b~c": 1,
        },
    )
    found = fields_of(problem(response, 422, "invalid_request"))
    assert set(found) == {
        "/workflow/3/class_type",
        "/workflow/3/inputs/model",
        "/inputs/0/node",
        "/inputs/0/field",
        "/inputs/1",
        "/inputs/2",
        "/user_id",
        "/webhook",
        "/a~1b~0c",
    }
    assert found["/inputs/0/node"].startswith("must be a string")
    assert found["/inputs/0/field"] == "is required"
    assert "is not known" in found["/webhook"]
    assert jobs.submitted == []


@pytest.mark.parametrize("body", ["[]", '"text"', "7", "null", "true"])
def test_a_body_that_is_no_object_is_refused(client: FlaskClient, body: str) -> None:
    response = client.post("/v1/jobs", data=body, content_type="application/json")
    assert places(problem(response, 422, "invalid_request")) == [""]


@pytest.mark.parametrize("workflow", [None, [], "{}", 1, True])
def test_a_workflow_that_is_no_object_is_refused(client: FlaskClient, workflow: Any) -> None:
    found = fields_of(problem(post(client, workflow=workflow), 422, "invalid_request"))
    assert "API format" in found["/workflow"]


def test_a_missing_workflow_is_refused(client: FlaskClient) -> None:
    found = fields_of(problem(client.post("/v1/jobs", json={}), 422, "invalid_request"))
    assert found == {"/workflow": "is required"}


def test_an_empty_workflow_is_refused(client: FlaskClient) -> None:
    assert places(problem(post(client, workflow={}), 422, "invalid_workflow")) == ["/workflow"]


def test_a_workflow_of_the_editor_is_refused_with_the_way_out(client: FlaskClient) -> None:
    found = fields_of(
        problem(post(client, workflow={"nodes": [], "links": []}), 422, "invalid_workflow")
    )
    assert "Export" in found["/workflow"]


def test_a_link_to_nowhere_is_refused_at_its_place(client: FlaskClient) -> None:
    graph = WORKFLOW | {"6": {"class_type": "X", "inputs": {"clip": ["44", 0]}}}
    body = problem(post(client, workflow=graph), 422, "invalid_workflow")
    assert places(body) == ["/workflow/6/inputs/clip"]


def test_an_override_of_nothing_is_refused_at_its_place(client: FlaskClient) -> None:
    inputs = [
        {"node": "6", "field": "txet", "value": "x"},
        {"node": "6", "field": "text", "value": "x"},
        {"node": "66", "field": "text", "value": "x"},
    ]
    body = problem(post(client, inputs=inputs), 422, "invalid_workflow")
    found = fields_of(body)
    assert set(found) == {"/inputs/0/field", "/inputs/2/node"}
    assert "'text'" in found["/inputs/0/field"]


def test_an_override_that_breaks_the_workflow_is_refused(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    graph = {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": "fine"}}}
    escape = [{"node": "1", "field": "filename_prefix", "value": "../../elsewhere"}]
    body = problem(post(client, workflow=graph, inputs=escape), 422, "invalid_workflow")
    assert places(body) == ["/workflow/1/inputs/filename_prefix"]
    assert jobs.submitted == []


@pytest.mark.parametrize(
    ("override", "place"),
    [
        ({"field": "text", "value": 1}, "/inputs/0/node"),
        ({"node": "6", "value": 1}, "/inputs/0/field"),
        ({"node": "6", "field": "text"}, "/inputs/0/value"),
        ({"node": 6, "field": "text", "value": 1}, "/inputs/0/node"),
        ({"node": None, "field": "text", "value": 1}, "/inputs/0/node"),
        ({"node": "6", "field": ["text"], "value": 1}, "/inputs/0/field"),
        ({"node": "6", "field": "text", "value": 1, "type": "link"}, "/inputs/0/type"),
        ({"node": "6", "field": "text", "value": 1, "type": None}, "/inputs/0/type"),
        ({"node": "6", "field": "text", "value": 1, "extra": 1}, "/inputs/0/extra"),
    ],
)
def test_a_misshapen_override_is_refused(
    client: FlaskClient, override: dict[str, Any], place: str
) -> None:
    assert places(problem(post(client, inputs=[override]), 422, "invalid_request")) == [place]


@pytest.mark.parametrize("inputs", [None, {}, "text", 1])
def test_inputs_must_be_a_list(client: FlaskClient, inputs: Any) -> None:
    assert places(problem(post(client, inputs=inputs), 422, "invalid_request")) == ["/inputs"]


@pytest.mark.parametrize("user_id", ["", "u" * 201, "a\nb", "a\x00b", "\x7f", "\u2028", 7, ["u"]])
def test_a_bad_user_id_is_refused(client: FlaskClient, user_id: Any) -> None:
    assert places(problem(post(client, user_id=user_id), 422, "invalid_request")) == ["/user_id"]


@pytest.mark.parametrize("user_id", [None, "u", "u" * 200, "João / \U0001f600", " "])
def test_a_user_id_may_be_any_other_text(client: FlaskClient, user_id: Any) -> None:
    response = post(client, user_id=user_id)
    assert response.status_code == 202
    assert response.get_json()["user_id"] == user_id


@pytest.mark.parametrize(("field", "value"), [("media", None), ("media", {})])
def test_misshapen_media_are_refused(client: FlaskClient, field: str, value: Any) -> None:
    assert places(problem(post(client, **{field: value}), 422, "invalid_request")) == [f"/{field}"]


def test_a_user_with_too_many_jobs_is_told_to_wait(client: FlaskClient, jobs: MemoryJobs) -> None:
    jobs.limit = 1
    assert post(client).status_code == 202
    response = post(client)
    assert "1 active job" in problem(response, 429, "job_limit_reached")["detail"]
    assert response.headers["Retry-After"] == "5"
