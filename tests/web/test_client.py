"""The typed client, against a server that answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.web.told_api import Api
from web.answers import Job, JobError, Output
from web.client import (
    ApiError,
    ApiUnreachable,
    JobsClient,
    Patience,
    UnexpectedAnswer,
    is_loopback,
)

ONCE = Patience(attempts=1)

JOB = {
    "job_id": "a1",
    "status": "completed",
    "progress": 100,
    "current_node": None,
    "nodes_done": 3,
    "nodes_total": 3,
    "outputs": [
        {"node_id": "9", "kind": "image", "filename": "x.png", "url": "/f", "size_bytes": 3}
    ],
    "logs": ["[20:01:02] Job started"],
    "error": None,
    "created_at": "2026-01-02T03:04:05.678Z",
    "user_id": "u1",
    "something_newer": {"a": 1},
}


@pytest.fixture
def client(api: Api) -> Iterator[JobsClient]:
    with JobsClient(api.url, "k3y", timeout=5, patience=ONCE) as connected:
        yield connected


def test_a_job_is_read_with_its_times_outputs_and_logs(api: Api, client: JobsClient) -> None:
    api.answers(JOB)
    job = client.get("a1")
    assert job.created_at == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert job.outputs == (Output("9", "image", "x.png", "/f", 3),)
    assert (job.status, job.progress, job.logs) == ("completed", 100, ("[20:01:02] Job started",))
    assert job.is_final
    assert job.document == JOB


def test_a_failed_job_says_which_node_failed(api: Api, client: JobsClient) -> None:
    error = {"code": "node_failed", "message": "boom", "node_id": "3", "node_type": "KSampler"}
    api.answers(JOB | {"status": "failed", "error": error})
    assert client.get("a1").error == JobError("node_failed", "boom", "3", "KSampler")


def test_a_submission_carries_workflow_overrides_user_and_key(
    api: Api, client: JobsClient
) -> None:
    api.answers(JOB | {"status": "queued"}, 202)
    override = {"node": "6", "field": "text", "value": "é", "type": "raw"}
    client.submit({"3": {}}, inputs=[override], user_id="u1")
    method, path, headers, body = api.requests[0]
    assert (method, path, headers["Authorization"]) == ("POST", "/v1/jobs", "Bearer k3y")
    assert json.loads(body) == {"workflow": {"3": {}}, "inputs": [override], "user_id": "u1"}


def test_a_submission_carries_files_and_the_wish_for_previews(
    api: Api, client: JobsClient
) -> None:
    api.answers(JOB | {"status": "queued"}, 202)
    client.submit({"3": {}}, media=[{"name": "a", "data": "AA=="}], temp_outputs=True)
    body = json.loads(api.requests[0][3])
    assert body["media"] == [{"name": "a", "data": "AA=="}]
    assert body["temp_outputs"] is True


def test_a_submission_carries_its_webhook(api: Api, client: JobsClient) -> None:
    api.answers(JOB | {"status": "queued"}, 202)
    url = "https://customer.example/hook"
    client.submit({"3": {}}, webhook_url=url, webhook_events=("job.failed",))
    body = json.loads(api.requests[0][3])
    assert (body["webhook_url"], body["webhook_events"]) == (url, ["job.failed"])


def test_a_submission_with_files_is_given_time_to_store_them(api: Api) -> None:
    api.answers(JOB | {"status": "queued"}, 202)
    api.released.clear()
    later = threading.Timer(0.5, api.released.set)
    later.start()
    with JobsClient(api.url, "k", timeout=0.05) as client:
        assert client.submit({"3": {}}, media=[{"name": "a", "data": "AA=="}]).job_id == "a1"
    later.join()


def test_a_list_asks_for_what_it_is_told_to(api: Api, client: JobsClient) -> None:
    api.answers({"jobs": [JOB], "next": "c2"})
    page = client.list(statuses=["failed", "queued"], user_id="u&1", limit=7, after="c1")
    assert api.requests[0][1] == (
        "/v1/jobs?status=failed&status=queued&user_id=u%261&limit=7&after=c1"
    )
    assert ([job.job_id for job in page.jobs], page.next) == (["a1"], "c2")


def test_a_job_id_cannot_lead_to_another_route(api: Api, client: JobsClient) -> None:
    api.answers(JOB)
    client.cancel("../../health?x")
    assert api.requests[0][:2] == ("DELETE", "/v1/jobs/..%2F..%2Fhealth%3Fx")


def test_a_refusal_keeps_status_title_detail_and_pointers(api: Api, client: JobsClient) -> None:
    errors = [{"pointer": "/workflow/3/inputs/model", "detail": "links to a missing node"}]
    problem = {"title": "Invalid workflow", "detail": "1 problem", "errors": errors}
    api.answers(problem, 422)
    with pytest.raises(ApiError) as refusal:
        client.submit({})
    assert (refusal.value.status, refusal.value.title) == (422, "Invalid workflow")
    assert "/workflow/3/inputs/model: links to a missing node" in str(refusal.value)


def test_a_refusal_without_a_problem_document_is_still_a_refusal(
    api: Api, client: JobsClient
) -> None:
    api.answer = (502, {}, b"<html>Bad Gateway</html>")
    with pytest.raises(ApiError, match="502"):
        client.get("a1")


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b'{"no": "job"}', b"null"])
def test_an_answer_of_another_server_is_not_taken_for_a_job(
    api: Api, client: JobsClient, body: bytes
) -> None:
    api.answer = (200, {}, body)
    with pytest.raises(UnexpectedAnswer, match="check the URL"):
        client.get("a1")


def test_the_key_does_not_follow_a_redirect(api: Api, client: JobsClient) -> None:
    api.answer = (302, {"Location": f"{api.url}/elsewhere"}, b"{}")
    with pytest.raises(UnexpectedAnswer, match="302"):
        client.get("a1")
    assert len(api.requests) == 1


def test_a_server_that_is_not_there_is_named() -> None:
    nowhere = JobsClient("http://127.0.0.1:9", "k", patience=ONCE)
    with nowhere as client, pytest.raises(ApiUnreachable) as error:
        client.get("a1")
    assert "http://127.0.0.1:9" in str(error.value)


def test_a_server_that_does_not_answer_is_given_up(api: Api) -> None:
    api.released.clear()
    with (
        JobsClient(api.url, "k", timeout=0.05, patience=ONCE) as client,
        pytest.raises(ApiUnreachable, match="too long"),
    ):
        client.get("a1")


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("https://127.0.0.1.example.com", False),
        ("https://example.com", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, local: bool) -> None:
    assert is_loopback(url) is local


def test_a_job_with_only_what_a_submission_answers_is_a_job(api: Api, client: JobsClient) -> None:
    api.answers({"job_id": "a1", "status": "queued"}, 202)
    assert client.submit({}) == Job("a1", "queued")


def test_a_proxy_of_the_environment_does_not_come_between_us_and_this_machine(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    api.answers(JOB)
    with JobsClient(api.url, "k") as client:
        assert client.get("a1").job_id == "a1"


def test_a_netrc_entry_does_not_replace_the_key(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    api.answers(JOB)
    with JobsClient(api.url.replace("127.0.0.1", "127.1"), "k3y") as client:
        client.get("a1")
    assert api.requests[0][2]["Authorization"] == "Bearer k3y"
