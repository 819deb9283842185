"""An S3 bucket over a network that fails: files arrive whole, late, or not at all."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from comfy_runner.bucket import NoSuchFile
from comfy_runner.bucket.retries import Patience
from comfy_runner.bucket.s3 import S3Bucket
from comfy_runner.bucket.s3_client import S3Address, make_client
from comfy_runner.errors import StorageFailed
from tests.fault_proxy import (
    HANG,
    REFUSE,
    Fault,
    FaultProxy,
    busy,
    cut_after,
    drip,
    reset_after,
)
from tests.s3_server import S3Server, free_port, through

pytestmark = pytest.mark.live

KEY = "outputs/job/9/0000-a.png"
CONTENT = random.Random(1).randbytes(300_000)
FAULTS = {
    "refuse": REFUSE,
    "hang": HANG,
    "reset at once": reset_after(200),
    "reset mid-body": reset_after(100_000),
    "no answer": cut_after(0),
    "half an answer": cut_after(20),
    "busy": busy(2),
}
each_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


@dataclass(frozen=True)
class Line:
    """A bucket behind a faulty line, the same one without, and the waits between attempts."""

    root: Path
    proxy: FaultProxy
    address: S3Address
    waits: list[float] = field(default_factory=list)

    def bucket(
        self, address: S3Address | None = None, *, seconds: float = 90, read_seconds: float = 10
    ) -> S3Bucket:
        patience = Patience(seconds=seconds, read_seconds=read_seconds, sleep=self.waits.append)
        return S3Bucket(through(self.proxy.port, address or self.address), patience=patience)

    def put(self, bucket: S3Bucket | None = None) -> None:
        source = self.root / "source"
        source.write_bytes(CONTENT)
        bucket = bucket or self.bucket()
        bucket.put(KEY, source, content_type="image/png", filename="a.png")

    def stored(self) -> bytes | None:
        """Return what lies in the bucket, seen without the faults."""
        try:
            S3Bucket(self.address).fetch(KEY, self.root / "seen")
        except NoSuchFile:
            return None
        return (self.root / "seen").read_bytes()


@pytest.fixture
def line(s3_server: S3Server, s3_address: S3Address, tmp_path: Path) -> Iterator[Line]:
    with FaultProxy(s3_server.port) as proxy:
        yield Line(tmp_path, proxy, s3_address)


@each_fault
def test_a_file_survives_a_fault_whole(fault: Fault, line: Line) -> None:
    line.proxy.next(fault)

    line.put(line.bucket(read_seconds=1 if fault is HANG else 10))

    assert line.stored() == CONTENT
    assert len(line.waits) == 1
    assert line.waits[0] >= 1
    assert line.proxy.requests[-1].startswith("PUT ")
    assert len(line.proxy.requests) == (1 if fault in {REFUSE, HANG} else 2)


def test_four_faults_in_a_row_are_survived(line: Line) -> None:
    line.proxy.next(REFUSE, cut_after(0), busy(1), reset_after(100_000))

    line.put()

    assert line.stored() == CONTENT
    assert len(line.waits) == 4


@each_fault
def test_a_fault_that_stays_fails_and_leaves_no_part_of_the_file(fault: Fault, line: Line) -> None:
    line.proxy.always(fault)

    with pytest.raises(StorageFailed, match=r"^'a.png' could not be stored: .*tried 5 times"):
        line.put(line.bucket(read_seconds=0.1 if fault is HANG else 10))

    # When only the answers are lost, the file is there; it is whole all the same.
    assert line.stored() == (CONTENT if fault.kind == "cut" else None)
    assert len(line.waits) == 4


def test_a_slow_line_is_waited_for(line: Line) -> None:
    line.proxy.always(drip(600_000))

    line.put()

    assert line.stored() == CONTENT
    assert line.waits == []


def test_a_server_is_given_the_time_that_it_asks_for_up_to_half_a_minute(line: Line) -> None:
    line.proxy.next(busy(25), busy(3000))

    line.put()

    first, second = line.waits
    assert first == 25
    assert second == 30


def test_no_wait_goes_beyond_the_time_there_is(line: Line) -> None:
    line.proxy.always(busy(1))

    with pytest.raises(StorageFailed, match=r"answered 503 ServiceUnavailable$"):
        line.put(line.bucket(seconds=0.9))

    assert line.waits == []


def test_a_server_that_is_not_there_is_told_with_what_to_check(line: Line) -> None:
    bucket = S3Bucket(
        through(free_port(), line.address), patience=Patience(sleep=line.waits.append)
    )

    with pytest.raises(StorageFailed, match=r"cannot be reached \(Endpoint.*check R2_ENDPOINT_UR"):
        line.put(bucket)

    assert len(line.waits) == 4


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"secret_access_key": "wrong-secret"}, "403 SignatureDoesNotMatch; check R2_ACCESS_KEY"),
        ({"access_key_id": "wrong-id"}, "answered 403 InvalidAccessKeyId; check R2_ACCESS_KEY_ID"),
        ({"name": "wrong-name"}, "answered 404 NoSuchBucket; check R2_BUCKET_NAME"),
    ],
)
def test_what_stays_wrong_is_not_tried_again_and_names_no_secret(
    changes: dict[str, Any], told: str, line: Line
) -> None:
    wrong = replace(line.address, **changes)

    with pytest.raises(StorageFailed) as caught:
        line.put(line.bucket(wrong))

    said = str(caught.value)
    assert told in said
    assert not re.search("wrong|http|127|outputs/", said)
    assert len(line.proxy.requests) == 1
    assert line.waits == []
    with pytest.raises(StorageFailed):
        line.bucket(wrong).purge("outputs", before=0)
    with pytest.raises(StorageFailed):
        line.bucket(wrong).fetch(KEY, line.root / "target")
    assert line.waits == []


@pytest.mark.parametrize("fault", [REFUSE, HANG, cut_after(20), cut_after(100_000), busy(1)])
def test_a_file_is_fetched_whole_in_spite_of_a_fault(fault: Fault, line: Line) -> None:
    line.put(S3Bucket(line.address))
    target = line.root / "target"
    line.proxy.next(fault)

    line.bucket(read_seconds=1 if fault is HANG else 10).fetch(KEY, target)

    assert target.read_bytes() == CONTENT
    assert len(line.waits) == 1


def test_a_fetch_that_is_cut_again_and_again_leaves_nothing(line: Line) -> None:
    line.put(S3Bucket(line.address))
    line.proxy.always(cut_after(100_000))

    with pytest.raises(StorageFailed, match=r"'t' could not be fetched: the bucket cannot be rea"):
        line.bucket().fetch(KEY, line.root / "t")

    assert [path.name for path in line.root.iterdir()] == ["source"]


def test_deleting_and_looking_survive_a_fault(line: Line) -> None:
    line.put(S3Bucket(line.address))
    line.proxy.next(REFUSE)
    assert line.bucket().stored_at(KEY) is not None
    line.proxy.next(busy(1), busy(1))

    line.bucket().delete("outputs/job")

    assert line.stored() is None
    assert len(line.waits) == 3


@pytest.mark.parametrize("is_lasting", [False, True])
def test_a_large_file_goes_up_in_parts_whole_or_not_at_all(is_lasting: bool, line: Line) -> None:
    source, size = line.root / "large", (65 << 20) + 7
    with source.open("wb") as large:
        large.write(CONTENT)
        large.truncate(size)
    # The first connection begins the upload; a part of it breaks.
    line.proxy.next(*[reset_after(3 << 20)] * (100 if is_lasting else 1))
    bucket = line.bucket()

    if is_lasting:
        with pytest.raises(StorageFailed, match=r"could not be stored.*tried 5 times"):
            bucket.put(KEY, source, content_type="video/mp4", filename="a.mp4")
        assert line.stored() is None
    else:
        bucket.put(KEY, source, content_type="video/mp4", filename="a.mp4")
        assert line.stored() == source.read_bytes()

    client = make_client(line.address, Patience())
    assert client.list_multipart_uploads(Bucket=line.address.name).get("Uploads", []) == []
    client.close()
