"""The typed client, against a server that answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from web.answers import Job, JobError, Output
from web.client import (
    ApiError,
    ApiUnreachable,
    DownloadFailed,
    JobsClient,
    UnexpectedAnswer,
    is_loopback,
)
from web.downloads import safe_name

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


class Api:
    """Answers every request with what was put in `answer`, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: tuple[int, dict[str, str], bytes] = (200, {}, b"{}")
        self.released = threading.Event()
        self.released.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def answers(self, document: object, status: int = 200) -> None:
        self.answer = (status, {}, json.dumps(document).encode())

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                api.requests.append((self.command, self.path, dict(self.headers), body))
                api.released.wait(10)
                status, headers, content = api.answer
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(content))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _answer  # noqa: N815 (http.server's names)

            def log_message(self, *_: Any) -> None:
                return

        return Handler


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.close()


@pytest.fixture
def client(api: Api) -> Iterator[JobsClient]:
    with JobsClient(api.url, "k3y", timeout=5) as connected:
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
    with JobsClient("http://127.0.0.1:9", "k") as client, pytest.raises(ApiUnreachable) as error:
        client.get("a1")
    assert "http://127.0.0.1:9" in str(error.value)


def test_a_server_that_does_not_answer_is_given_up(api: Api) -> None:
    api.released.clear()
    with (
        JobsClient(api.url, "k", timeout=0.05) as client,
        pytest.raises(ApiUnreachable, match="too long"),
    ):
        client.get("a1")


def test_a_file_is_downloaded_whole_and_without_the_key(
    api: Api, client: JobsClient, tmp_path: Path
) -> None:
    api.answer = (200, {}, b"PNG")
    path = client.download(Output("9", "image", "x.png", f"{api.url}/f?s=1", 3), tmp_path / "new")
    assert path == tmp_path / "new" / "x.png"
    assert path.read_bytes() == b"PNG"
    assert api.requests[0][1] == "/f?s=1"
    assert "Authorization" not in api.requests[0][2]


def test_an_existing_file_is_kept_and_the_new_one_gets_a_number(
    api: Api, client: JobsClient, tmp_path: Path
) -> None:
    (tmp_path / "x.png").write_bytes(b"old")
    (tmp_path / "x-1.png").symlink_to(tmp_path / "nowhere")
    api.answer = (200, {}, b"PNG")
    path = client.download(Output("9", "image", "x.png", "/f"), tmp_path)
    assert path.name == "x-2.png"
    assert (tmp_path / "x.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"PN"),
        (200, {"Content-Length": "10"}, b"PNG"),
        (403, {}, b"expired"),
        (200, {"Content-Encoding": "gzip"}, b"PNG"),
    ],
)
def test_a_download_that_is_not_whole_leaves_no_file(
    api: Api, client: JobsClient, tmp_path: Path, answer: tuple[int, dict[str, str], bytes]
) -> None:
    api.answer = (answer[0], answer[1] | {"Connection": "close"}, answer[2])
    with pytest.raises(DownloadFailed):
        client.download(Output("9", "image", "x.png", "/f", 3), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_into_a_place_that_is_a_file_says_so(
    client: JobsClient, tmp_path: Path
) -> None:
    place = tmp_path / "taken"
    place.write_bytes(b"")
    with pytest.raises(DownloadFailed, match="taken"):
        client.download(Output("9", "image", "x.png", "/f"), place)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("x.png", "x.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/abs/x.png", "x.png"),
        ("..", "output"),
        ("", "output"),
        (".bashrc", "bashrc"),
        ("a\nb\x1b[31m.png", "ab[31m.png"),
        ('a<>:"|?*.png', "a.png"),
        ("C:evil.png", "Cevil.png"),
        ("é" * 200 + ".png", "é" * 73 + ".png"),
    ],
)
def test_a_name_never_leaves_its_directory(given: str, kept: str) -> None:
    assert safe_name(given) == kept


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
