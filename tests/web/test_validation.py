"""POST /v1/workflows/validate: the judgement of a submission, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import places, problem
from tests.web.test_acting import PIXEL

WORKFLOW: dict[str, Any] = {
    "6": {
        "class_type": "CLIPTextEncode",
        "inputs": {"text": "a cat"},
        "_meta": {"title": "Positive prompt"},
    },
    "7": {"class_type": "LoadImage", "inputs": {"image": ""}, "_meta": {"title": "Same"}},
    "8": {"class_type": "SaveImage", "inputs": {}, "_meta": {"title": "Same"}},
}


def test_what_would_be_accepted_is_valid_and_not_queued(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    body = {
        "workflow": WORKFLOW,
        "inputs": [{"node": "7", "field": "image", "value": "a.png", "type": "media"}],
        "media": [{"name": "a.png", "data": PIXEL}],
        "timeout_seconds": 5,
    }
    answer = client.post("/v1/workflows/validate", json=body)
    assert (answer.status_code, answer.get_json()["valid"]) == (200, True)
    assert (answer.get_json()["nodes"], answer.get_json()["media"]) == (3, 1)
    assert jobs.submitted == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"workflow": {}},
        {"workflow": WORKFLOW, "user_id": "", "inputs": [{}]},
        {"workflow": WORKFLOW, "inputs": [{"node": "66", "field": "text", "value": 1}]},
        {"workflow": WORKFLOW, "media": [{"name": "a", "data": "!"}]},
    ],
)
def test_what_would_be_refused_is_refused_alike(client: FlaskClient, body: Any) -> None:
    judged, sent = (
        client.post(path, json=body) for path in ("/v1/workflows/validate", "/v1/jobs")
    )
    assert judged.status_code == 422
    assert judged.get_json() | {"request_id": ""} == sent.get_json() | {"request_id": ""}


def test_a_node_may_go_by_its_title(client: FlaskClient, jobs: MemoryJobs) -> None:
    inputs = [{"node": "@Positive prompt", "field": "text", "value": "a dog"}]
    answer = client.post("/v1/jobs", json={"workflow": WORKFLOW, "inputs": inputs})
    assert answer.status_code == 202
    assert jobs.submitted[0]["6"]["inputs"]["text"] == "a dog"


def test_titles_of_no_node_and_of_several_are_refused(client: FlaskClient) -> None:
    names = ["@Positive promt", "@Same", "Positive prompt", "@"]
    inputs = [{"node": name, "field": "text", "value": 1} for name in names]
    answer = client.post("/v1/workflows/validate", json={"workflow": WORKFLOW, "inputs": inputs})
    body = problem(answer, 422, "invalid_workflow")
    assert places(body) == [f"/inputs/{n}/node" for n in range(4)]
    told = [each["detail"] for each in body["errors"]]
    assert "'@Positive prompt'" in told[0]
    assert "'7', '8'" in told[1]


def test_only_so_many_inputs_are_taken(client: FlaskClient) -> None:
    override = {"node": "6", "field": "text", "value": 1}
    for count, status in ((1000, 200), (1001, 422)):
        body = {"workflow": WORKFLOW, "inputs": [override] * count}
        answer = client.post("/v1/workflows/validate", json=body)
        assert answer.status_code == status
    assert places(problem(answer, 422, "invalid_request")) == ["/inputs"]


def test_a_thousand_wrong_names_are_answered_with_the_first_hundred(client: FlaskClient) -> None:
    nodes = {
        f"node {n}": {"class_type": "X", "inputs": {"a": [f"none {n}", 0]}} for n in range(999)
    }
    answer = client.post("/v1/workflows/validate", json={"workflow": nodes})
    assert len(problem(answer, 422, "invalid_workflow")["errors"]) == 100
