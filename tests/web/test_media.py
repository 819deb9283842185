"""POST /v1/jobs with input files: what is taken, what it becomes, and what refusals say."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from comfy_runner.bucket import Bucket, LocalBucket
from comfy_runner.errors import StorageFailed
from comfy_runner.media import Media
from comfy_runner.outputs import Output
from settings import Settings
from tasks.jobs import Status
from tests.comfy_runner.media_files import jpeg, png
from tests.web.conftest import KEY
from tests.web.memory_jobs import MemoryJobs, a_job
from tests.web.problems import places, problem
from web import create_app

WORKFLOW: dict[str, Any] = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "face"}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "p"}},
}
PNG = base64.b64encode(png()).decode()


def post(client: FlaskClient, *media: Any, **body: Any) -> TestResponse:
    return client.post("/v1/jobs", json={"workflow": WORKFLOW, "media": list(media)} | body)


def refusals(response: TestResponse, code: str) -> dict[str, str]:
    body = problem(response, 422, code)
    return {error["pointer"]: error["detail"] for error in body["errors"]}


def test_a_file_in_base64_is_stored_and_goes_with_the_job(
    client: FlaskClient, jobs: MemoryJobs, bucket: Bucket, tmp_path: Path
) -> None:
    for data in (PNG, f"data:image/png;base64,{PNG}"):
        assert post(client, {"name": "face", "data": data}).status_code == 202
    key = f"media/{hashlib.sha256(png()).hexdigest()}"
    assert jobs.media == [(Media("face", key=key),)] * 2
    assert jobs.submitted == [WORKFLOW] * 2
    bucket.fetch(key, tmp_path / "kept")
    assert (tmp_path / "kept").read_bytes() == png()


def test_a_url_goes_with_the_job_as_it_is(client: FlaskClient, jobs: MemoryJobs) -> None:
    url = "https://files.example/a.png?signature=x"
    assert post(client, {"name": "face", "url": url}).status_code == 202
    assert jobs.media == [(Media("face", url=url),)]


def test_previews_are_kept_when_asked_for(client: FlaskClient, jobs: MemoryJobs) -> None:
    post(client, temp_outputs=True)
    post(client)
    assert jobs.temp_outputs == [True, False]


@pytest.mark.parametrize("value", [None, 1, "true", "yes", []])
def test_temp_outputs_is_true_or_false(client: FlaskClient, value: Any) -> None:
    response = post(client, temp_outputs=value)
    assert refusals(response, "invalid_request") == {"/temp_outputs": "must be true or false"}


@pytest.mark.parametrize(
    ("media", "place"),
    [
        (None, "/media/0"),
        ("a.png", "/media/0"),
        ({}, "/media/0/name"),
        ({"name": "a"}, "/media/0"),
        ({"name": "a", "data": PNG, "url": "https://a.example/"}, "/media/0"),
        ({"name": "a", "data": PNG, "job_id": "j", "filename": "f"}, "/media/0"),
        ({"name": "a", "job_id": "job-1"}, "/media/0"),
        ({"name": "a", "filename": "a.png"}, "/media/0"),
        ({"name": "a", "url": "https://a.example/", "filename": "f"}, "/media/0"),
        ({"name": 1, "data": PNG}, "/media/0/name"),
        ({"name": "", "data": PNG}, "/media/0/name"),
        ({"name": "a\n", "data": PNG}, "/media/0/name"),
        ({"name": "a" * 201, "data": PNG}, "/media/0/name"),
        ({"name": "a", "data": None}, "/media/0/data"),
        ({"name": "a", "data": [1]}, "/media/0/data"),
        ({"name": "a", "url": 1}, "/media/0/url"),
        ({"name": "a", "data": PNG, "type": "image"}, "/media/0/type"),
    ],
)
def test_a_misshapen_file_is_refused_at_its_place(
    client: FlaskClient, media: Any, place: str
) -> None:
    assert list(refusals(post(client, media), "invalid_request")) == [place]


@pytest.mark.parametrize(
    ("media", "place", "reason"),
    [
        ({"data": "abc"}, "/media/0/data", "no base64"),
        ({"data": base64.b64encode(b"<svg/>").decode()}, "/media/0/data", "no type that is taken"),
        ({"data": f"data:image/jpeg;base64,{PNG}"}, "/media/0/data", "declared as image/jpeg"),
        ({"data": ""}, "/media/0/data", "empty"),
        ({"url": "ftp://a.example/a"}, "/media/0/url", "must begin with"),
        ({"url": "http://127.0.0.1/a"}, "/media/0/url", "not public"),
        ({"url": "http://0x7f.1/a"}, "/media/0/url", "not public"),
        ({"url": "http://[::ffff:10.0.0.1]/a"}, "/media/0/url", "not public"),
        ({"url": "http://u:p@a.example/a"}, "/media/0/url", "user or password"),
        ({"url": "http://a.example:8188/a"}, "/media/0/url", "port is 8188"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    client: FlaskClient, jobs: MemoryJobs, media: dict[str, str], place: str, reason: str
) -> None:
    found = refusals(post(client, {"name": "face"} | media), "media_rejected")
    assert list(found) == [place]
    assert reason in found[place]
    assert jobs.submitted == []


def test_everything_wrong_with_files_inputs_and_workflow_is_told_at_once(
    client: FlaskClient, bucket: Bucket
) -> None:
    inputs: list[dict[str, Any]] = [
        {"node": "1", "field": "image", "value": "fcae", "type": "media"},
        {"node": "9", "field": "image", "value": 1},
    ]
    files = [{"name": "face", "data": PNG}, {"name": "face", "url": "http://10.0.0.1/"}]
    found = refusals(post(client, *files, inputs=inputs), "invalid_workflow")
    assert set(found) == {"/inputs/0/value", "/inputs/1/node", "/media/1/name", "/media/1/url"}
    assert "'face'" in found["/inputs/0/value"]
    broken = {"1": {"class_type": "LoadImage", "inputs": {"image": ["7", 0]}}}
    found = refusals(post(client, *files, workflow=broken), "invalid_workflow")
    assert set(found) == {"/workflow/1/inputs/image", "/media/1/name", "/media/1/url"}
    assert bucket.stored_at(f"media/{hashlib.sha256(png()).hexdigest()}") is None


def test_an_input_of_type_media_takes_the_name_of_a_file(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    inputs = [{"node": "1", "field": "image", "value": "my face.png", "type": "media"}]
    response = post(client, {"name": "my face.png", "data": PNG}, inputs=inputs)
    assert response.status_code == 202
    assert jobs.submitted[0]["1"]["inputs"]["image"] == "my face.png"


@pytest.mark.parametrize("value", [1, None, ["face"], {"name": "face"}, "", "Face"])
def test_an_input_of_type_media_takes_nothing_else(client: FlaskClient, value: Any) -> None:
    inputs = [{"node": "1", "field": "image", "value": value, "type": "media"}]
    found = refusals(
        post(client, {"name": "face", "data": PNG}, inputs=inputs), "invalid_workflow"
    )
    assert found == {"/inputs/0/value": "must be the name of one of media, such as 'face'"}
    found = refusals(post(client, inputs=inputs), "invalid_workflow")
    assert found == {"/inputs/0/value": "must be the name of one of media, and there are none"}


def test_there_is_a_limit_to_the_files_and_to_each(
    settings: Settings, jobs: MemoryJobs, bucket: Bucket
) -> None:
    small = settings.replace(media_max_files=1, media_max_megabytes=1, max_request_megabytes=4)
    client = create_app(small, jobs=jobs, bucket=bucket).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    large = base64.b64encode(png().ljust(2**20 + 1)).decode()
    found = refusals(post(client, {"name": "a", "data": large}), "media_rejected")
    assert "larger than 1 MB" in found["/media/0/data"]
    two = [{"name": each, "url": "https://a.example/"} for each in "ab"]
    assert list(refusals(post(client, *two), "media_rejected")) == ["/media"]


def test_a_body_that_is_too_large_as_a_whole_is_told_to_send_addresses(
    client: FlaskClient,
) -> None:
    large = base64.b64encode(bytes(2**20)).decode()
    body = problem(post(client, {"name": "a", "data": large}), 413, "request_too_large")
    assert "URL" in body["detail"]


# -- outputs of earlier jobs ---------------------------------------------------------------


def an_output(**facts: Any) -> Output:
    known: dict[str, Any] = {
        "node_id": "9",
        "kind": "image",
        "filename": "a.png",
        "key": "outputs/job-1/9/a.png",
    }
    known |= {"size_bytes": 10, "content_type": "image/png"}
    return Output(**known | facts)


@pytest.fixture
def earlier(jobs: MemoryJobs) -> MemoryJobs:
    text = an_output(kind="text", filename="", key="", content_type="text/plain", text="hello")
    outputs = (
        an_output(),
        an_output(filename="b.svg", content_type="image/svg+xml"),
        an_output(filename="c.png", size_bytes=50 * 2**20 + 1),
        an_output(filename="d.png"),
        an_output(filename="d.png"),
        text,
    )
    jobs.kept["job-1"] = a_job(user_id="ann", status=Status.COMPLETED, outputs=outputs)
    jobs.kept["job-2"] = a_job("job-2", user_id=None, status=Status.RUNNING)
    return jobs


def from_job(job_id: str, filename: str) -> dict[str, str]:
    return {"name": "face", "job_id": job_id, "filename": filename}


def test_an_output_of_an_own_earlier_job_is_an_input(
    client: FlaskClient, earlier: MemoryJobs
) -> None:
    assert post(client, from_job("job-1", "a.png"), user_id="ann").status_code == 202
    assert earlier.media == [(Media("face", key="outputs/job-1/9/a.png"),)]


@pytest.mark.parametrize("user_id", [None, "bob", "ANN"])
@pytest.mark.parametrize("job_id", ["job-1", "job-9", "../x", "job:1"])
def test_the_job_of_somebody_else_is_as_unknown_as_one_that_never_was(
    client: FlaskClient, earlier: MemoryJobs, user_id: str | None, job_id: str
) -> None:
    found = refusals(post(client, from_job(job_id, "a.png"), user_id=user_id), "media_unreachable")
    assert found == {"/media/0/job_id": "is not the id of an earlier job of this user_id"}


def test_an_id_that_no_job_can_have_never_reaches_the_store(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    jobs.failure = ValueError("what a key")
    for job_id in ("a:b", "", "a\0", "../x"):
        found = refusals(post(client, from_job(job_id, "a.png")), "media_unreachable")
        assert list(found) == ["/media/0/job_id"]


@pytest.mark.parametrize(
    ("filename", "code", "reason"),
    [
        ("A.png", "media_unreachable", "which has 'a.png', 'b.svg'"),
        ("", "media_unreachable", "is not an output"),
        ("d.png", "media_unreachable", "the name of 2 outputs"),
        ("b.svg", "media_rejected", "is image/svg+xml"),
        ("c.png", "media_rejected", "larger than 50 MB"),
    ],
)
def test_an_output_that_cannot_be_an_input_is_refused(
    client: FlaskClient, earlier: MemoryJobs, filename: str, code: str, reason: str
) -> None:
    found = refusals(post(client, from_job("job-1", filename), user_id="ann"), code)
    assert list(found) == ["/media/0/filename"]
    assert reason in found["/media/0/filename"]


def test_a_job_without_files_says_how_it_stands(client: FlaskClient, earlier: MemoryJobs) -> None:
    found = refusals(post(client, from_job("job-2", "a.png")), "media_unreachable")
    assert "its status is running" in found["/media/0/filename"]


def test_one_wrong_file_among_unknown_ones_makes_it_a_rejection(
    client: FlaskClient, earlier: MemoryJobs
) -> None:
    wrong = {"name": "other", "data": "!"}
    found = refusals(post(client, from_job("job-9", "a.png"), wrong), "media_rejected")
    assert set(found) == {"/media/0/job_id", "/media/1/data"}


# -- a bucket that fails -------------------------------------------------------------------


class Full(LocalBucket):
    """A bucket that takes nothing."""

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        raise StorageFailed("the disk is full")


def test_a_file_that_cannot_be_stored_is_not_the_clients_fault(
    settings: Settings, jobs: MemoryJobs, tmp_path: Path
) -> None:
    app = create_app(settings, jobs=jobs, bucket=Full(tmp_path / "full", b"s" * 32))
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    response = post(client, {"name": "face", "data": base64.b64encode(jpeg()).decode()})
    assert places(problem(response, 503, "storage_failed")) == []
    assert response.headers["Retry-After"] == "5"
    assert jobs.submitted == []
