"""Named workflows: what there is, and jobs made of a name and parameters."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

import workflows
from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import places, problem


def submit(client: FlaskClient, workflow: Any, **more: Any) -> Any:
    return client.post("/v1/jobs", json={"workflow": workflow, **more})


def test_a_name_becomes_its_graph_with_the_parameters_in_it(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    answer = submit(client, {"name": "text_to_image"}, params={"prompt": "fog", "seed": 1})
    assert answer.status_code == 202
    sent = dict(jobs.submitted[0])
    assert sent == workflows.filled("text_to_image", {"prompt": "fog", "seed": 1})


def test_inputs_change_a_named_workflow_as_any_other(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    inputs = [{"node": "@Sampler", "field": "seed", "value": 5}]
    submit(client, {"name": "text_to_image"}, params={"seed": 1}, inputs=inputs)
    assert jobs.submitted[0]["5"]["inputs"]["seed"] == 5


@pytest.mark.parametrize(
    ("body", "pointers", "says"),
    [
        ({"workflow": {"name": "text2image"}}, ["/workflow/name"], "Did you mean text_to_image"),
        ({"workflow": {"name": "../x"}}, ["/workflow/name"], "There are text_to_image"),
        ({"workflow": {"name": "upscale", "a/b": 1}}, ["/workflow/a~1b"], "params"),
        (
            {"workflow": {"name": "upscale"}, "params": {"promt": "", "seed": "1"}},
            ["/params/promt", "/params/seed"],
            "did you mean prompt",
        ),
        ({"workflow": {"name": "upscale"}, "params": {"a/b": 1}}, ["/params/a~1b"], "there are"),
        ({"workflow": {"name": "upscale"}, "params": []}, ["/params"], "must be an object"),
        ({"workflow": {"name": "zzz"}, "user_id": 1}, ["/user_id", "/workflow/name"], "string"),
        (
            {"workflow": {"1": {"class_type": "X", "inputs": {}}}, "params": {}},
            ["/params"],
            '{"name": ...}',
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/workflows/validate"])
def test_whatever_is_wrong_is_told_where_it_stands(
    client: FlaskClient, path: str, body: dict[str, Any], pointers: list[str], says: str
) -> None:
    told = problem(client.post(path, json=body), 422, "invalid_request")
    assert places(told) == pointers
    assert says in str(told["errors"])


def test_a_node_may_be_called_name(client: FlaskClient) -> None:
    assert submit(client, {"name": {"class_type": "X", "inputs": {}}}).status_code == 202


def test_every_workflow_is_listed_with_what_may_be_set(client: FlaskClient) -> None:
    listed = client.get("/v1/workflows").get_json()["workflows"]
    assert [each["name"] for each in listed] == list(workflows.names())
    for each in listed:
        assert client.get(f"/v1/workflows/{each['name']}").get_json() == each
        assert each["params"] == workflows.manifest()[each["name"]].parameters.schema()


def test_an_unknown_workflow_is_answered_with_the_nearest(client: FlaskClient) -> None:
    told = problem(client.get("/v1/workflows/upscaled"), 404, "workflow_not_found")
    assert "Did you mean upscale" in told["detail"]


def test_a_stranger_sees_none(stranger: FlaskClient) -> None:
    problem(stranger.get("/v1/workflows"), 401, "unauthorized")
