"""What the typed client sends again, how often, and how long it waits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.web.told_api import Api
from web.answers import Job, Output
from web.client import (
    ApiError,
    ApiUnreachable,
    ClientError,
    DownloadFailed,
    JobsClient,
    Patience,
)

QUEUED = {"job_id": "a1", "status": "queued"}
ENDED = {"job_id": "a1", "status": "completed"}


class Pauses:
    """Time that passes only in pauses, each of which may change the server."""

    def __init__(self, then: Callable[[float], object] = lambda _: None) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._then = then

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self._then(self.now)

    def client(self, url: str) -> JobsClient:
        patience = Patience(sleep=self.sleep, clock=lambda: self.now)
        return JobsClient(url, "k", timeout=5, patience=patience)


def refusal(api: Api, status: int, code: str = "x", **headers: str) -> None:
    api.answers({"title": "No", "code": code}, status)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    api.answer = (status, named, api.answer[2])


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "rate"), (502, ""), (503, ""), (504, ""), (409, "idempotency_key_in_use")],
)
def test_a_refusal_that_may_pass_is_met_with_the_same_request(
    api: Api, status: int, code: str
) -> None:
    pauses = Pauses(lambda _: api.answers(QUEUED, 202))
    refusal(api, status, code, Retry_After="7")
    with pauses.client(api.url) as client:
        assert client.submit({"3": {}}).job_id == "a1"
    first, second = [headers["Idempotency-Key"] for _, _, headers, _ in api.requests]
    assert (first == second, pauses.slept) == (True, [7.0])


def test_each_submission_has_a_key_of_its_own_or_the_one_it_is_given(api: Api) -> None:
    api.answers(QUEUED, 202)
    with Pauses().client(api.url) as client:
        client.submit({"3": {}})
        client.submit({"3": {}})
        client.retry("a1", idempotency_key="mine")
    first, second, third = [headers["Idempotency-Key"] for _, _, headers, _ in api.requests]
    assert first != second
    assert third == "mine"


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 500])
def test_a_refusal_that_stays_is_told_at_once(api: Api, status: int) -> None:
    refusal(api, status)
    with Pauses().client(api.url) as client, pytest.raises(ApiError):
        client.submit({"3": {}})
    assert len(api.requests) == 1


def test_attempts_have_an_end_and_pauses_that_grow(api: Api) -> None:
    pauses = Pauses()
    refusal(api, 503)
    with pauses.client(api.url) as client, pytest.raises(ApiError):
        client.get("a1")
    assert (len(api.requests), pauses.slept) == (4, [0.25, 0.5, 1.0])


@pytest.mark.parametrize("asked", ["3600", "31"])
def test_who_is_asked_to_come_back_much_later_is_told_so_at_once(api: Api, asked: str) -> None:
    refusal(api, 429, Retry_After=asked)
    with Pauses().client(api.url) as client, pytest.raises(ApiError) as error:
        client.get("a1")
    assert (len(api.requests), error.value.retry_after) == (1, float(asked))


def test_a_deletion_for_good_is_sent_once(api: Api) -> None:
    refusal(api, 503)
    with Pauses().client(api.url) as client, pytest.raises(ApiError):
        client.purge("a1")
    assert [request[:2] for request in api.requests] == [("DELETE", "/v1/jobs/a1?purge=true")]


def test_a_restart_of_the_server_does_not_end_a_wait(api: Api) -> None:
    pauses = Pauses(lambda now: api.answers(ENDED) if now > 20 else None)
    refusal(api, 503)
    with pauses.client(api.url) as client:
        assert client.wait("a1").status == "completed"
    assert 0.1 <= min(pauses.slept) <= max(pauses.slept) <= 1.0


@pytest.mark.parametrize(("status", "most"), [(503, 35.0), (404, 0.0)])
def test_a_wait_that_cannot_succeed_ends(api: Api, status: int, most: float) -> None:
    pauses = Pauses()
    refusal(api, status)
    with pauses.client(api.url) as client, pytest.raises(ApiError):
        client.wait("a1")
    assert pauses.now <= most


@pytest.mark.parametrize("follow", ["wait", "stream"])
def test_a_server_that_is_gone_is_given_up_after_half_a_minute(follow: str) -> None:
    pauses = Pauses()
    with pauses.client("http://127.0.0.1:9") as client, pytest.raises(ApiUnreachable):
        list(_followed(client, follow))
    assert 30 < pauses.now < 35


def _followed(client: JobsClient, how: str) -> Any:
    return client.stream("a1") if how == "stream" else [client.wait("a1")]


@pytest.mark.parametrize("status", [400, 429])
def test_a_wait_goes_on_without_the_long_poll_where_there_is_none(api: Api, status: int) -> None:
    def then(now: float) -> None:
        refusal(api, status)
        if now > 0.15:
            api.answers(ENDED)

    api.answers(QUEUED)
    shown: list[Job] = []
    with Pauses(then).client(api.url) as client:
        client.wait("a1", show=shown.append)
    assert [job.status for job in shown] == ["queued", "completed"]
    paths = [request[1] for request in api.requests]
    assert paths == ["/v1/jobs/a1", "/v1/jobs/a1?wait=49", "/v1/jobs/a1"] or (
        paths == ["/v1/jobs/a1", "/v1/jobs/a1?wait=50", "/v1/jobs/a1"]
    )


def test_a_wait_says_which_state_it_knows_so_that_no_change_is_missed(api: Api) -> None:
    api.answers(QUEUED)
    api.answer = (200, {"ETag": 'W/"first"'}, api.answer[2])
    with Pauses(lambda _: api.answers(ENDED)).client(api.url) as client:
        client.wait("a1")
    first, second = [headers.get("If-None-Match") for _, _, headers, _ in api.requests]
    assert (first, second) == (None, 'W/"first"')


def test_a_file_other_than_was_stored_is_refused(api: Api, tmp_path: Path) -> None:
    tag = hashlib.sha256(b"PNG").hexdigest()
    api.answer = (200, {"ETag": f'"{tag}"'}, b"PNX")
    output = Output("9", "image", "x.png", "/f", 3)
    with Pauses().client(api.url) as client:
        with pytest.raises(DownloadFailed, match="not arrive as it was stored"):
            client.download(output, tmp_path)
        assert list(tmp_path.iterdir()) == []
        api.answer = (200, {"ETag": f'"{tag}"'}, b"PNG")
        assert client.download(output, tmp_path).read_bytes() == b"PNG"


def test_a_file_from_elsewhere_is_held_to_what_the_job_says_of_it(
    api: Api, tmp_path: Path
) -> None:
    digest = hashlib.sha256(b"PNG").hexdigest()
    # the file is on another host than the API, whose ETags may be anything
    elsewhere = api.url.replace("127.0.0.1", "localhost")
    output = Output("9", "image", "x.png", f"{elsewhere}/f", 3, sha256=digest)
    with Pauses().client(api.url) as client:
        api.answer = (200, {"ETag": '"d41d8cd98f00b204e9800998ecf8427e-2"'}, b"PNX")
        with pytest.raises(DownloadFailed, match="not arrive as it was stored"):
            client.download(output, tmp_path)
        assert list(tmp_path.iterdir()) == []
        api.answer = (200, api.answer[1], b"PNG")
        assert client.download(output, tmp_path).read_bytes() == b"PNG"


def test_a_download_that_never_succeeds_has_an_end(api: Api, tmp_path: Path) -> None:
    refusal(api, 503)
    with Pauses().client(api.url) as client, pytest.raises(ClientError, match="503"):
        client.download(Output("9", "image", "x.png", "/f", 3), tmp_path)
    assert len(api.requests) == 4
