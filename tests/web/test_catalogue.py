"""POST /v1/jobs where the workers have told what nodes and models they have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from comfy_runner.bucket import Bucket
from comfy_runner.catalog import Catalog
from settings import Settings
from tests.web.conftest import KEY
from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import problem
from web import create_app
from web.errors import BodyError
from web.v1.pointing import as_sent

NUMBER = ["INT", {"default": 8, "min": 8, "max": 64}]
CATALOG = Catalog(
    nodes={
        "EmptyImage": {
            "input": {"required": {"width": NUMBER, "height": NUMBER}},
            "input_order": {"required": ["width", "height"]},
            "output": ["IMAGE"],
            "output_name": ["IMAGE"],
            "output_is_list": [False],
            "output_node": False,
            "name": "EmptyImage",
            "display_name": "Empty image",
        },
        "LoadImage": {
            "input": {"required": {"image": [["example.png"], {"image_upload": True}]}},
            "input_order": {"required": ["image"]},
            "output": ["IMAGE"],
            "output_name": ["IMAGE"],
            "output_is_list": [False],
            "output_node": False,
            "name": "LoadImage",
            "display_name": "Load image",
        },
        "UpscaleModelLoader": {
            "input": {"required": {"model_name": [["four.pth"], {}]}},
            "input_order": {"required": ["model_name"]},
            "output": ["IMAGE"],
            "output_name": ["IMAGE"],
            "output_is_list": [False],
            "output_node": False,
            "name": "UpscaleModelLoader",
            "display_name": "Load upscale model",
        },
        "SaveImage": {
            "input": {"required": {"images": ["IMAGE"], "filename_prefix": ["STRING", {}]}},
            "input_order": {"required": ["images", "filename_prefix"]},
            "output": [],
            "output_name": [],
            "output_is_list": [],
            "output_node": True,
            "name": "SaveImage",
            "display_name": "Save image",
        },
    },
    models={"upscale_models": ["four.pth"]},
)


def saved(class_type: str = "EmptyImage", **inputs: Any) -> dict[str, Any]:
    sizes = {"width": 16, "height": 16} if class_type == "EmptyImage" else {}
    save = {"images": ["1", 0], "filename_prefix": "p"}
    return {
        "1": {"class_type": class_type, "inputs": sizes | inputs},
        "2": {"class_type": "SaveImage", "inputs": save},
    }


@pytest.fixture
def client(settings: Settings, jobs: MemoryJobs, bucket: Bucket) -> FlaskClient:
    app = create_app(settings, jobs=jobs, bucket=bucket, catalog=lambda: CATALOG)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    return client


def post(client: FlaskClient, workflow: Any, **body: Any) -> TestResponse:
    return client.post("/v1/jobs", json={"workflow": workflow} | body)


def refusals(response: TestResponse, code: str = "invalid_workflow") -> dict[str, str]:
    body = problem(response, 422, code)
    return {error["pointer"]: error["detail"] for error in body["errors"]}


def test_a_workflow_that_fits_is_accepted_as_it_is(client: FlaskClient, jobs: MemoryJobs) -> None:
    assert post(client, saved()).status_code == 202
    assert jobs.submitted == [saved()]


def test_everything_that_the_catalogue_does_not_know_is_refused_at_once(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    workflow = saved(width=4096) | {
        "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 5]}}
    }
    found = refusals(post(client, workflow))
    assert "/workflow/1/inputs/width" in found
    assert "/workflow/3/inputs/images" in found
    assert "/workflow/3/inputs/filename_prefix" in found
    assert jobs.submitted == []


def test_an_unknown_node_is_refused_with_the_nearest_name(client: FlaskClient) -> None:
    (said,) = refusals(post(client, saved("EmptyImagge"))).values()
    assert "'EmptyImage'" in said


def test_overrides_are_judged_where_they_land(client: FlaskClient, jobs: MemoryJobs) -> None:
    wide = [{"node": "1", "field": "width", "value": 4096}]
    assert list(refusals(post(client, saved(), inputs=wide))) == ["/workflow/1/inputs/width"]
    right = [{"node": "1", "field": "width", "value": 32}]
    assert post(client, saved(width=4096), inputs=right).status_code == 202
    assert jobs.submitted[0]["1"]["inputs"]["width"] == 32


def test_a_model_that_is_not_there_has_a_code_of_its_own(client: FlaskClient) -> None:
    found = refusals(
        post(client, saved("UpscaleModelLoader", model_name="fuor.pth")), "model_missing"
    )
    assert list(found) == ["/workflow/1/inputs/model_name"]
    assert "four.pth" in found["/workflow/1/inputs/model_name"]


def test_a_fault_of_a_named_workflow_points_at_what_was_sent_of_it(client: FlaskClient) -> None:
    params = {"prompt": "fog"}
    body = problem(post(client, {"name": "text_to_image"}, params=params), 422, "invalid_workflow")
    assert {each["pointer"] for each in body["errors"]} == {"/workflow/name"}
    assert "node 1" in body["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        ({"workflow": {"name": "text_to_image"}, "params": {"steps": 1}}, "/params/steps"),
        ({"workflow": {"name": "text_to_image"}, "params": {"seed": 1}}, "/workflow/name"),
        ({"workflow": {"name": "text_to_image"}}, "/workflow/name"),
        ({"workflow": {"nodes": [{"id": 5}]}}, "/workflow"),
        ({"workflow": {"5": {"inputs": {"steps": 1}}}}, "/workflow/5/inputs/steps"),
    ],
)
def test_a_fault_of_what_was_made_of_a_body_points_into_the_body(sent: Any, place: str) -> None:
    (found,) = as_sent(sent, [BodyError("/workflow/5/inputs/steps", "is odd")])
    assert found == BodyError(place, "is odd")


def test_a_media_name_stands_for_a_file_that_is_in_no_list(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    media = [{"name": "my face", "url": "https://example.com/a.png"}]
    assert post(client, saved("LoadImage", image="my face"), media=media).status_code == 202
    by_type = [{"node": "1", "field": "image", "value": "my face", "type": "media"}]
    workflow = saved("LoadImage", image="example.png")
    assert post(client, workflow, media=media, inputs=by_type).status_code == 202
    assert len(jobs.submitted) == 2


def test_a_prefix_that_leads_out_is_refused_here_too(client: FlaskClient) -> None:
    workflow = saved()
    workflow["2"]["inputs"]["filename_prefix"] = "../../x"
    assert list(refusals(post(client, workflow))) == ["/workflow/2/inputs/filename_prefix"]


@pytest.mark.parametrize("workflow", [{}, {"1": 7}, {"1": {"class_type": 1, "inputs": {}}}])
def test_what_is_no_workflow_is_refused_before_it_is_looked_up(
    client: FlaskClient, workflow: Any
) -> None:
    assert all(place.startswith("/workflow") for place in refusals(post(client, workflow)))


# -- workflows of the editor ---------------------------------------------------------------


def drawing(class_type: str = "EmptyImage") -> dict[str, Any]:
    """Return a workflow of two nodes as the editor saves it."""
    image = {"name": "IMAGE", "type": "IMAGE"}
    first = {"id": 1, "type": class_type, "mode": 0, "order": 0, "widgets_values": [16, 16]}
    second = {"id": 2, "type": "SaveImage", "mode": 0, "order": 1, "widgets_values": ["p"]}
    return {
        "nodes": [
            first | {"inputs": [], "outputs": [image | {"links": [1]}]},
            second | {"inputs": [{"name": "images", "type": "IMAGE", "link": 1}], "outputs": []},
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]],
        "version": 0.4,
    }


def test_a_workflow_of_the_editor_becomes_one_that_runs(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    inputs = [{"node": "1", "field": "width", "value": 24}]
    assert post(client, drawing(), inputs=inputs).status_code == 202
    (graph,) = jobs.submitted
    assert graph["1"]["inputs"] == {"width": 24, "height": 16}
    assert graph["2"]["inputs"] == {"images": ["1", 0], "filename_prefix": "p"}


def test_a_workflow_of_the_editor_that_cannot_be_turned_is_refused_at_its_place(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    found = refusals(post(client, drawing("Unheard")))
    assert all(place.startswith("/workflow/nodes/0") for place in found)
    assert jobs.submitted == []
    body = problem(post(client, drawing("Unheard"), user_id=""), 422, "invalid_request")
    assert "/user_id" in [error["pointer"] for error in body["errors"]]
    assert len(body["errors"]) > 1


def test_without_a_catalogue_workflows_are_judged_by_their_form(
    settings: Settings, jobs: MemoryJobs, bucket: Bucket, tmp_path: Path
) -> None:
    app = create_app(settings, jobs=jobs, bucket=bucket, catalog=lambda: None)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    assert post(client, saved("Unheard")).status_code == 202
    assert list(refusals(post(client, drawing()))) == ["/workflow"]
