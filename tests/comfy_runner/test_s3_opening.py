"""An S3 bucket made from the settings, and the client that it makes for itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from comfy_runner.bucket import LocalBucket, open_bucket
from comfy_runner.bucket.retries import Patience
from comfy_runner.bucket.s3_client import S3Address, make_client
from comfy_runner.errors import StorageFailed
from settings import Settings
from tests.comfy_runner.s3_script import Reply, ScriptedS3
from tests.test_imports import ROOT

KEY = "outputs/job/9/0000-a.png"


def chosen(**changes: Any) -> Settings:
    r2 = Settings(
        r2_endpoint_url="https://account.r2.cloudflarestorage.com",
        r2_bucket_name="outputs",
        r2_access_key_id="the-id",
        r2_secret_access_key="hush",
    )
    return r2.replace(**changes)


def test_no_cache_keeps_a_file_for_longer_than_a_link_lives(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    with ScriptedS3() as server:
        url = server.address.endpoint_url
        bucket = open_bucket(chosen(r2_endpoint_url=url, r2_url_ttl_seconds=77))
        bucket.put(KEY, source, content_type="image/png", filename="a.png")

    assert server.requests[0].headers["cache-control"] == "private, max-age=77"


# For the region "us-east-1", boto3 signs URLs by version 2 unless it is told not to.
@pytest.mark.parametrize("region", ["auto", "us-east-1"])
def test_a_signed_url_is_of_version_four_at_the_bucket_itself(region: str) -> None:
    bucket = open_bucket(chosen(r2_region=region))
    assert not isinstance(bucket, LocalBucket)
    split = urlsplit(bucket.url(KEY, ttl_seconds=604_800))
    query = parse_qs(split.query)
    assert f"{split.scheme}://{split.netloc}{split.path}" == (
        f"https://account.r2.cloudflarestorage.com/outputs/{KEY}"
    )
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["604800"]
    assert query["X-Amz-Credential"][0].endswith(f"/{region}/s3/aws4_request")


def test_who_is_waited_for_gives_up_soon() -> None:
    with ScriptedS3(lambda _: Reply(503, headers={"Retry-After": "6"})) as server:
        hurried = open_bucket(chosen(r2_endpoint_url=server.address.endpoint_url), hurried=True)
        with pytest.raises(StorageFailed, match=r"answered 503$"):
            hurried.stored_at(KEY)

    assert len(server.requests) == 1


CLIENT = """
from comfy_runner.bucket.retries import Patience
from comfy_runner.bucket.s3_client import S3Address, make_client
print(make_client(S3Address("https://a.example", "b", "c", "d"), Patience()).meta.endpoint_url)
"""


def test_the_aws_settings_of_the_machine_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("no settings at all")
    files = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), tmp_path / "config")
    environment = {name: str(path) for name, path in files.items()} | {"AWS_PROFILE": "nobody"}
    command = [sys.executable, "-c", CLIENT]
    made = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (made.stdout, made.stderr) == ("https://a.example\n", "")


def test_a_client_waits_no_longer_and_keeps_as_many_connections_as_it_should() -> None:
    address = S3Address("https://a.example", "outputs", "the-id", "hush")
    client = make_client(address, Patience(connect_seconds=3, read_seconds=4))
    config: Any = client.meta.config  # the stubs know none of its attributes
    assert (config.connect_timeout, config.read_timeout) == (3, 4)
    assert config.max_pool_connections == 32
    client.close()


def test_an_address_does_not_show_its_keys() -> None:
    shown = repr(S3Address("https://a.example", "outputs", "the-id", "hush"))
    assert "hush" not in shown
    assert "the-id" not in shown
