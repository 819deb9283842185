"""Jobs whose files live in an S3 bucket, on a line that breaks and a server that dies."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image

from tests.fault_proxy import REFUSE, FaultProxy, reset_after
from tests.integration.service import colour, steps
from tests.integration.stack import Stack
from tests.s3_server import S3Server

pytestmark = pytest.mark.live


@dataclass(frozen=True)
class Ground:
    """A service, the S3 server of its files, and the line between the two."""

    stack: Stack
    server: S3Server
    line: FaultProxy


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    root: Path = tmp_path_factory.mktemp("s3-stack")
    with S3Server(root / "s3") as server, FaultProxy(server.port) as line:
        address = server.new_bucket()
        settings = {
            "R2_ACCESS_KEY_ID": address.access_key_id,
            "R2_SECRET_ACCESS_KEY": address.secret_access_key,
            "R2_ENDPOINT_URL": f"http://127.0.0.1:{line.port}",
            "R2_BUCKET_NAME": address.name,
            "R2_REGION": address.region,
        }
        with Stack(root / "data", **settings) as stack:
            yield Ground(stack, server, line)


def test_an_output_is_fetched_from_the_bucket_by_its_signed_url(ground: Ground) -> None:
    job = ground.stack.completed(ground.stack.submit(colour(0xFF0000)))

    (output,) = job["outputs"]
    assert urlsplit(output["url"]).port == ground.line.port
    assert "X-Amz-Signature=" in output["url"]
    file = requests.get(output["url"], timeout=10)
    assert file.headers["Content-Type"] == "image/png"
    assert file.headers["Content-Disposition"].startswith('inline; filename="p_00001_.png"')
    assert len(file.content) == output["size_bytes"]
    assert Image.open(io.BytesIO(file.content)).getpixel((0, 0)) == (255, 0, 0)
    assert requests.get(output["url"].partition("?")[0], timeout=10).status_code == 403
    assert not (ground.stack.data / "files").exists()


def test_a_line_that_breaks_during_an_upload_costs_no_output(ground: Ground) -> None:
    ground.line.next(REFUSE, reset_after(300))

    job = ground.stack.completed(ground.stack.submit(colour(0x00FF00)))

    (output,) = job["outputs"]
    file = requests.get(output["url"], timeout=10)
    assert Image.open(io.BytesIO(file.content)).getpixel((0, 0)) == (0, 255, 0)


@pytest.mark.slow  # it waits between attempts for real; the last test, for it leaves no server
def test_a_server_that_dies_during_a_job_fails_it_and_says_what_to_check(ground: Ground) -> None:
    job_id = ground.stack.submit(steps(20))
    ground.stack.at_step(job_id, 2)

    ground.server.stop()

    job = ground.stack.ended(job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "storage_failed")
    assert "check R2_ENDPOINT_URL and the network (tried 5 times)" in job["error"]["message"]
    assert "127.0.0.1" not in str(job["error"])
    assert job["outputs"] == []
