"""Files behind signed links: for whoever holds one, whole or in parts, until it expires."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from comfy_runner.bucket import Bucket, LocalBucket
from comfy_runner.outputs import Output
from settings import Settings
from tasks.jobs import Status
from tests.web.memory_jobs import MemoryJobs, a_job
from tests.web.problems import problem
from web import create_app

CONTENT = bytes(range(256)) * 8
KEY = "outputs/job-1+/9/0000-cat.png"  # + as in the id of a job that was submitted anew


class Clock:
    """Says what it is told, for the bucket to sign and judge by."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bucket(settings: Settings, clock: Clock, tmp_path: Path) -> Bucket:
    """A bucket with one picture in it, whose name needs more than ASCII."""
    bucket = LocalBucket(settings.data_dir / "files", b"s" * 32, clock)
    picture = tmp_path / "picture"
    picture.write_bytes(CONTENT)
    bucket.put(KEY, picture, content_type="image/png", filename="gato é “1”.png")
    return bucket


@pytest.fixture
def link(client: FlaskClient, jobs: MemoryJobs) -> str:
    """The link that the API gives out for the picture, without its host."""
    output = Output("9", "image", "gato.png", KEY, len(CONTENT), "image/png")
    jobs.kept["job-1"] = a_job(status=Status.COMPLETED, outputs=(output,))
    url: str = client.get("/v1/jobs/job-1").get_json()["outputs"][0]["url"]
    assert url.startswith("http://localhost/files/")
    return url.removeprefix("http://localhost")


@pytest.fixture
def visitor(stranger: FlaskClient) -> Iterator[Visitor]:
    visitor = Visitor(stranger)
    yield visitor
    visitor.leave()


class Visitor:
    """Somebody with a link and nothing else, who closes what was opened."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self._answers: list[TestResponse] = []

    def ask(self, link: str, method: str = "GET", **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._answers.append(self._client.open(link, method=method, headers=named))
        return self._answers[-1]

    def leave(self) -> None:
        for answer in self._answers:
            answer.close()


def test_a_link_from_the_api_gives_the_file(visitor: Visitor, link: str) -> None:
    response = visitor.ask(link)
    assert response.status_code == 200
    assert response.data == CONTENT
    assert response.content_type == "image/png"
    assert response.headers["Content-Length"] == str(len(CONTENT))
    assert response.headers["Accept-Ranges"] == "bytes"


def test_no_browser_may_run_what_a_file_holds(visitor: Visitor, link: str) -> None:
    headers = visitor.ask(link).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_a_file_is_shown_in_place_under_its_own_name(visitor: Visitor, link: str) -> None:
    disposition = visitor.ask(link).headers["Content-Disposition"]
    assert disposition.startswith("inline;")
    assert "filename*=UTF-8''gato%20%C3%A9%20%E2%80%9C1%E2%80%9D.png" in disposition


def test_a_cache_keeps_a_file_no_longer_than_its_link_lasts(
    visitor: Visitor, link: str, settings: Settings
) -> None:
    control = visitor.ask(link).headers["Cache-Control"]
    private, _, seconds = control.partition(", max-age=")
    assert private == "private"
    assert settings.r2_url_ttl_seconds - 3600 < int(seconds) <= settings.r2_url_ttl_seconds


def test_a_head_request_tells_all_but_the_content(visitor: Visitor, link: str) -> None:
    response = visitor.ask(link, "HEAD")
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == str(len(CONTENT))
    assert response.headers["ETag"] == visitor.ask(link).headers["ETag"]


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=2000-", 2000, 2047), ("bytes=-5", 2043, 2047)],
)
def test_a_part_is_sent_on_its_own(
    visitor: Visitor, link: str, asked: str, first: int, last: int
) -> None:
    response = visitor.ask(link, Range=asked)
    assert response.status_code == 206
    assert response.data == CONTENT[first : last + 1]
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/{len(CONTENT)}"


def test_a_part_that_is_not_there_is_a_problem(visitor: Visitor, link: str) -> None:
    response = visitor.ask(link, Range="bytes=5000-")
    problem(response, 416, "requested_range_not_satisfiable")
    assert response.headers["Content-Range"] == f"bytes */{len(CONTENT)}"


def test_a_file_already_held_is_not_sent_again(visitor: Visitor, link: str) -> None:
    etag = visitor.ask(link).headers["ETag"]
    response = visitor.ask(link, If_None_Match=etag)
    assert (response.status_code, response.data) == (304, b"")
    assert visitor.ask(link, If_None_Match='"another"').status_code == 200


def test_a_file_that_is_not_the_one_asked_for_is_not_sent(visitor: Visitor, link: str) -> None:
    etag = visitor.ask(link).headers["ETag"]
    assert visitor.ask(link, If_Match=etag).status_code == 200
    problem(visitor.ask(link, If_Match='"another"'), 412, "precondition_failed")


def test_a_part_of_another_version_is_sent_whole(visitor: Visitor, link: str) -> None:
    response = visitor.ask(link, Range="bytes=0-9", If_Range='"another"')
    assert (response.status_code, response.data) == (200, CONTENT)


def test_a_link_ends_when_it_said(
    visitor: Visitor, link: str, clock: Clock, settings: Settings
) -> None:
    clock.now += settings.r2_url_ttl_seconds - 1
    assert visitor.ask(link).status_code == 200
    clock.now += 2
    assert "gives a new one" in problem(visitor.ask(link), 403, "link_expired")["detail"]


def changed(link: str) -> list[str]:
    path, query = link.split("?")
    parts = parse_qs(query)
    expires, signature = parts["expires"][0], parts["signature"][0]
    return [
        f"{path}",
        f"{path}?expires={expires}",
        f"{path}?signature={signature}",
        f"{path}?expires={int(expires) + 1}&signature={signature}",
        f"{path}?expires=&signature={signature}",
        f"{path}?expires=x&signature={signature}",
        f"{path}?expires={expires}&signature={signature[:-1]}",
        f"{path}?expires={expires}&signature=%C3%A9",
        f"{path.replace('0000', '0001')}?{query}",
        f"{path.replace('/9/', '//9/')}?{query}",
        f"/files/../url_secret?{query}",
        f"/files/%2e%2e%2furl_secret?{query}",
        f"/files/a%00b?{query}",
        f"/files/%FF?{query}",
    ]


def test_a_changed_link_is_refused(visitor: Visitor, link: str) -> None:
    for wrong in changed(link):
        problem(visitor.ask(wrong), 403, "bad_signature")


def test_the_key_of_the_api_does_not_open_files(client: FlaskClient, link: str) -> None:
    problem(client.get(urlsplit(link).path), 403, "bad_signature")


def test_a_deleted_file_is_not_found(visitor: Visitor, link: str, bucket: Bucket) -> None:
    bucket.delete("outputs/job-1+")
    problem(visitor.ask(link), 404, "file_not_found")


def test_a_file_that_vanished_from_the_disk_is_not_found(
    visitor: Visitor, link: str, settings: Settings
) -> None:
    for content in (settings.data_dir / "files").rglob("*"):
        if content.is_file() and content.name != "meta.json":
            content.unlink()
    problem(visitor.ask(link), 404, "file_not_found")


def test_links_follow_the_public_url_and_the_settings(
    settings: Settings, jobs: MemoryJobs, bucket: Bucket, clock: Clock, link: str
) -> None:
    public = settings.replace(public_url="https://example.com/comfy", r2_url_ttl_seconds=60)
    client = create_app(public, jobs=jobs, bucket=bucket).test_client()
    headers = {"Authorization": f"Bearer {settings.api_key}"}
    url = client.get("/v1/jobs/job-1", headers=headers).get_json()["outputs"][0]["url"]
    assert url.startswith("https://example.com/comfy/files/outputs/job-1+/")
    assert parse_qs(urlsplit(url).query)["expires"] == [str(int(clock.now) + 60)]


class RemoteBucket:
    """A bucket whose files are elsewhere, as R2's are."""

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        raise NotImplementedError

    def url(self, key: str, *, ttl_seconds: int) -> str:
        return f"https://r2.example.com/{key}?ttl={ttl_seconds}"

    def fetch(self, key: str, path: Path) -> None:
        raise NotImplementedError

    def stored_at(self, key: str) -> float | None:
        raise NotImplementedError

    def delete(self, prefix: str) -> None:
        raise NotImplementedError

    def purge(self, prefix: str, *, before: float) -> int:
        raise NotImplementedError


def test_files_kept_elsewhere_are_linked_to_and_not_served(
    settings: Settings, jobs: MemoryJobs, link: str
) -> None:
    app: Flask = create_app(settings, jobs=jobs, bucket=RemoteBucket())
    headers = {"Authorization": f"Bearer {settings.api_key}"}
    client = app.test_client()
    outputs = client.get("/v1/jobs/job-1", headers=headers).get_json()["outputs"]
    assert outputs[0]["url"] == f"https://r2.example.com/{KEY}?ttl=86400"
    problem(client.get(link, headers=headers), 404, "not_found")
