"""Links to files that are expired, tampered with, sent again, or of somebody else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from comfy_runner.bucket import LocalBucket
from settings import Settings
from tasks import embedded
from tasks.framework import State, configure
from tests.web.conftest import KEY
from tests.web.problems import problem
from tests.web.real_jobs import OUTPUT, RealApi
from web import create_app

CONTENT = b"a picture"


@dataclass
class Clock:
    """Says what it is told, for the bucket to sign and judge by."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Gallery:
    """Two ended jobs with a file each, and a visitor without any key."""

    api: RealApi
    bucket: LocalBucket
    clock: Clock
    visitor: FlaskClient
    jobs: tuple[str, str]

    def path_of(self, job_id: str) -> str:
        """Return the link that the API gives out for the job's file, without its host."""
        (output,) = self.api.client.get(f"/v1/jobs/{job_id}").get_json()["outputs"]
        return str(output["url"]).removeprefix("http://localhost")

    @property
    def link(self) -> str:
        return self.path_of(self.jobs[0])

    def gives(self, link: str) -> bytes:
        """Return the file behind the link."""
        with self.visitor.get(link) as answer:
            assert answer.status_code == 200
            return bytes(answer.data)


@pytest.fixture
def gallery(settings: Settings, tmp_path: Path) -> Iterator[Gallery]:
    embedded.configure(settings)
    clock = Clock(time.time())
    bucket = LocalBucket(settings.data_dir / "files", b"s" * 32, clock)
    app = create_app(settings, bucket=bucket)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    api = RealApi(app, client)
    first, second = (painted(api, bucket, tmp_path) for _ in range(2))
    yield Gallery(api, bucket, clock, app.test_client(), (first, second))
    configure(None)


def painted(api: RealApi, bucket: LocalBucket, directory: Path) -> str:
    """End a job with one file; return its id."""
    claimed = api.start(job_id := api.submit())
    key = f"outputs/{job_id}/1/0000-a.png"
    (directory / "a").write_bytes(CONTENT)
    bucket.put(key, directory / "a", content_type="image/png", filename="a.png")
    api.end(claimed, State.SUCCEEDED, OUTPUT | {"key": key})
    return job_id


def test_a_link_works_again_and_again_within_its_life(
    gallery: Gallery, settings: Settings
) -> None:
    link = gallery.link
    assert [gallery.gives(link) for _ in range(3)] == [CONTENT] * 3
    gallery.clock.now += settings.r2_url_ttl_seconds - 1
    assert gallery.gives(link) == CONTENT


def test_an_expired_link_stays_expired_while_a_new_one_works(
    gallery: Gallery, settings: Settings
) -> None:
    link = gallery.link
    gallery.clock.now += settings.r2_url_ttl_seconds
    for method in ("GET", "HEAD"):
        assert gallery.visitor.open(link, method=method).status_code == 403
    problem(gallery.visitor.get(link), 403, "link_expired")
    assert gallery.gives(gallery.link) == CONTENT


def test_a_link_outlives_neither_the_purge_of_its_job_nor_that_of_its_age(
    gallery: Gallery,
) -> None:
    purged, kept = (gallery.path_of(each) for each in gallery.jobs)
    gone = gallery.api.client.delete(f"/v1/jobs/{gallery.jobs[0]}?purge=true")
    assert gone.status_code == 204
    problem(gallery.visitor.get(purged), 404, "file_not_found")
    assert gallery.gives(kept) == CONTENT
    gallery.clock.now += 10
    gallery.bucket.purge("outputs", before=gallery.clock.now)
    problem(gallery.visitor.get(kept), 404, "file_not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_a_link_is_for_reading_only(gallery: Gallery, method: str) -> None:
    link = gallery.link
    for sent in ({}, {"Authorization": f"Bearer {KEY}"}):
        answer = gallery.visitor.open(link, method=method, headers=sent, data=b"x")
        assert answer.status_code in {401, 405}
    problem(gallery.api.client.open(link, method=method), 405, "method_not_allowed")
    assert gallery.gives(link) == CONTENT


def test_a_signature_opens_no_other_file(gallery: Gallery) -> None:
    first, second = (gallery.path_of(each) for each in gallery.jobs)
    path, query = first.partition("?")[0], second.partition("?")[2]
    problem(gallery.visitor.get(f"{path}?{query}"), 403, "bad_signature")
    assert gallery.gives(first) == CONTENT


@pytest.mark.parametrize("host", ["evil.example", "localhost:1", "169.254.169.254"])
def test_the_host_is_no_part_of_what_is_signed_and_changes_nothing(
    gallery: Gallery, host: str
) -> None:
    headers = {"Host": host, "X-Forwarded-Host": "other.example", "X-Forwarded-Prefix": "/x"}
    with gallery.visitor.get(gallery.link, headers=headers) as answer:
        assert (answer.status_code, answer.data) == (200, CONTENT)
        assert "evil" not in str(answer.headers)


def test_the_order_of_the_query_is_of_no_account(gallery: Gallery) -> None:
    path, _, query = gallery.link.partition("?")
    turned = "&".join(reversed(query.split("&")))
    assert gallery.gives(f"{path}?{turned}") == CONTENT
    assert gallery.gives(f"{path}?{query}&utm_source=mail") == CONTENT


def tampered(link: str) -> Iterator[str]:
    path, _, query = link.partition("?")
    expires, signature = (part.partition("=")[2] for part in query.split("&"))
    good = {"expires": expires, "signature": signature}
    for name, value in good.items():
        other = good["signature" if name == "expires" else "expires"]
        rest = f"{'signature' if name == 'expires' else 'expires'}={other}"
        for wrong in ("", "0", value[:-1], value + "0", f"%20{value}", "%00", "é", "9" * 400):
            yield f"{path}?{rest}&{name}={quote(wrong, safe='%')}"
            # of a doubled parameter the first counts
            yield f"{path}?{rest}&{name}={quote(wrong, safe='%')}&{name}={value}"
        yield f"{path}?{rest}"
        yield f"{path}?{rest}&{name.upper()}={value}"
        yield f"{path}?{rest}&{name}[]={value}"
    yield f"{path}?{query.replace('=', '%3D')}"
    yield f"{path}?{query.replace('&', ';')}"
    for other in ("x", "/", "~", "~/meta.json", ".png", "%00", "%2e%2e/a", "/../a"):
        yield f"{path}{other}?{query}"
    yield f"{path.replace('outputs', 'media')}?{query}"
    yield f"{path.replace('outputs', 'OUTPUTS')}?{query}"
    yield f"{path.replace('/files/', '/files//')}?{query}"
    yield f"/files/../url_secret?{query}"
    yield f"/files/%2e%2e%2furl_secret?{query}"
    yield f"/files/..%5curl_secret?{query}"
    yield f"/files//etc/passwd?{query}"
    yield f"/files/%FF?{query}"


def test_a_link_that_was_tampered_with_gives_nothing(gallery: Gallery) -> None:
    for wrong in tampered(gallery.link):
        with gallery.visitor.get(wrong) as answer:
            told = (answer.status_code, answer.get_json()["code"])
        # what no route takes is refused for want of a key
        assert told in {(403, "bad_signature"), (401, "unauthorized")}, wrong


def test_a_doubled_parameter_counts_as_its_first(gallery: Gallery) -> None:
    assert gallery.gives(f"{gallery.link}&signature=x&expires=1") == CONTENT


def test_the_master_key_stands_in_for_no_signature(gallery: Gallery) -> None:
    path = gallery.link.partition("?")[0]
    problem(gallery.api.client.get(path), 403, "bad_signature")


def test_a_link_of_another_deployment_gives_nothing(gallery: Gallery) -> None:
    other = LocalBucket(Path("unused"), b"t" * 32, gallery.clock)
    key = f"outputs/{gallery.jobs[0]}/1/0000-a.png"
    problem(gallery.visitor.get(other.url(key, ttl_seconds=60)), 403, "bad_signature")
