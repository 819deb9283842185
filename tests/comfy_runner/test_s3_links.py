"""Signed URLs of an S3 bucket, before a server that checks them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import requests

from comfy_runner.bucket.retries import Patience
from comfy_runner.bucket.s3 import S3Bucket
from comfy_runner.bucket.s3_client import S3Address, make_client

pytestmark = pytest.mark.live

KEY = "outputs/job/9/0000-a.png"


@pytest.fixture
def stored(s3_address: S3Address, tmp_path: Path) -> S3Address:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(100)))
    bucket = S3Bucket(s3_address, cache_seconds=600)
    bucket.put(KEY, source, content_type="image/svg+xml", filename="drawing.svg")
    return s3_address


def status_of(url: str, method: str = "GET") -> int:
    return requests.request(method, url, timeout=10).status_code


@pytest.mark.parametrize("changes", [{"secret_access_key": "x"}, {"access_key_id": "x"}])
def test_a_url_that_another_signed_is_refused(changes: dict[str, str], stored: S3Address) -> None:
    stranger = S3Bucket(
        replace(
            stored,
            access_key_id=changes.get("access_key_id", stored.access_key_id),
            secret_access_key=changes.get("secret_access_key", stored.secret_access_key),
        )
    )
    assert status_of(S3Bucket(stored).url(KEY, ttl_seconds=60)) == 200
    assert status_of(stranger.url(KEY, ttl_seconds=60)) == 403


def test_a_week_is_the_longest_that_the_server_takes(stored: S3Address) -> None:
    assert status_of(S3Bucket(stored).url(KEY, ttl_seconds=604_800)) == 200
    client = make_client(stored, Patience())
    # What S3Bucket refuses to make, boto3 signs without a word.
    asked = {"Bucket": stored.name, "Key": KEY}
    too_long = client.generate_presigned_url("get_object", Params=asked, ExpiresIn=604_801)
    client.close()
    assert status_of(too_long) == 400


def test_a_url_reads_and_does_nothing_else(stored: S3Address) -> None:
    url = S3Bucket(stored).url(KEY, ttl_seconds=60)
    for method in ("PUT", "DELETE", "POST"):
        assert status_of(url, method) in {403, 405}
    assert status_of(url) == 200


def test_a_part_of_a_file_can_be_asked_for_and_an_svg_is_a_download(stored: S3Address) -> None:
    url = S3Bucket(stored).url(KEY, ttl_seconds=60)
    answer = requests.get(url, headers={"Range": "bytes=10-19"}, timeout=10)
    assert (answer.status_code, answer.content) == (206, bytes(range(10, 20)))
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="drawing.svg"')
    assert answer.headers["Cache-Control"] == "private, max-age=600"
