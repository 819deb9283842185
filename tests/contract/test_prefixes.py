"""Two deployments in one bucket: every key of each lies under its own prefix."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from comfy_runner.bucket import BadSignature, Bucket, LocalBucket, open_bucket, open_records
from comfy_runner.bucket.s3 import S3Bucket
from comfy_runner.bucket.s3_client import MULTIPART_BYTES, S3Address
from settings import Settings

KEY = "outputs/job/9/0000-a.png"


def at(address: S3Address, root: Path) -> Settings:
    return Settings(
        data_dir=root,
        r2_endpoint_url=address.endpoint_url,
        r2_bucket_name=address.name,
        r2_access_key_id=address.access_key_id,
        r2_secret_access_key=address.secret_access_key,
        r2_region=address.region,
    )


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.live)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "local":
        return Settings(data_dir=tmp_path)
    return at(request.getfixturevalue("s3_address"), tmp_path)


def put(bucket: Bucket, content: bytes, source: Path) -> None:
    source.write_bytes(content)
    bucket.put(KEY, source, content_type="image/png", filename="a.png")


def test_files_of_two_prefixes_never_meet(place: Settings, tmp_path: Path) -> None:
    one, other = open_bucket(place, "one"), open_bucket(place, "other/")
    put(one, b"1", tmp_path / "source")
    assert other.stored_at(KEY) is None
    put(other, b"22", tmp_path / "source")

    one.fetch(KEY, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"1"
    assert one.purge("outputs", before=4e9) == 1
    assert one.stored_at(KEY) is None
    one.delete("outputs")
    other.fetch(KEY, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"22"
    other.delete("outputs/job")
    assert other.stored_at(KEY) is None


@pytest.mark.live
def test_every_object_lies_under_the_prefix(s3_address: S3Address, tmp_path: Path) -> None:
    settings = at(s3_address, tmp_path)
    put(open_bucket(settings, "one"), b"1", tmp_path / "source")
    open_records(settings, "one").put("record", b"x")
    bare = S3Bucket(s3_address)

    assert bare.stored_at(f"one/{KEY}") is not None
    assert bare.stored_at("one/record") is not None
    assert open_records(settings, "").list("o") == [f"one/{KEY}", "one/record"]
    url = open_bucket(settings, "one").url(KEY, ttl_seconds=60)
    assert urlsplit(url).path.endswith(f"/one/{KEY}")
    assert requests.get(url, timeout=10).content == b"1"


@pytest.mark.live
@pytest.mark.slow
def test_a_file_in_parts_lies_under_the_prefix_too(s3_address: S3Address, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.touch()
    os.truncate(source, MULTIPART_BYTES + 1)
    bucket = open_bucket(at(s3_address, tmp_path), "one")
    bucket.put(KEY, source, content_type="image/png", filename="a.png")

    assert S3Bucket(s3_address).stored_at(f"one/{KEY}") is not None


def test_a_link_of_one_prefix_opens_nothing_of_another(tmp_path: Path) -> None:
    here = Settings(data_dir=tmp_path)
    one, other = open_bucket(here, "one"), open_bucket(here, "other")
    assert isinstance(other, LocalBucket)
    for bucket in (one, other):
        put(bucket, b"1", tmp_path / "source")
    query = parse_qs(urlsplit(one.url(KEY, ttl_seconds=60)).query)

    with pytest.raises(BadSignature):
        other.verify(KEY, query["expires"][0], query["signature"][0])
