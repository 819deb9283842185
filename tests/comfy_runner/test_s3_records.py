"""Small records in an S3 bucket: what goes over the wire, and what comes of a bad line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from urllib.parse import parse_qs, urlsplit

import pytest

from comfy_runner.bucket.retries import Patience
from comfy_runner.bucket.s3_records import S3Records
from comfy_runner.errors import StorageFailed
from tasks.framework.archives.bucket import BucketArchive
from tests.comfy_runner.s3_script import Reply, Request, ScriptedS3, agreeing
from tests.comfy_runner.test_s3_faults import FAULTS
from tests.fault_proxy import Fault, FaultProxy, cut_after
from tests.s3_server import S3Server, through
from tests.tasks.framework.test_bucket_archive import counted, final, listings


def records_at(server: ScriptedS3) -> S3Records:
    address = replace(server.address, prefix="app/")
    return S3Records(address, patience=Patience(sleep=lambda _: None))


def error(status: int, code: str) -> Reply:
    return Reply(status, f"<Error><Code>{code}</Code></Error>".encode())


def in_turn(*replies: Reply) -> Callable[[Request], Reply]:
    waiting = iter(replies)
    return lambda _: next(waiting)


def content(body: bytes, tag: bytes | None = None) -> Reply:
    digest = hashlib.md5(body if tag is None else tag, usedforsecurity=False).hexdigest()
    return Reply(body=body, headers={"ETag": f'"{digest}"'})


def test_only_an_add_asks_that_there_be_none() -> None:
    with ScriptedS3() as server:
        records = records_at(server)
        assert records.add("a/b", b"1")
        records.put("a/b", b"2")

    add, put = server.requests
    assert add.path == put.path == "/outputs/app/a/b"
    assert (add.headers["if-none-match"], add.body) == ("*", b"1")
    assert ("if-none-match" in put.headers, put.body) == (False, b"2")
    assert "expect" not in add.headers
    assert not [name for name in add.headers if "checksum" in name]


def test_an_add_that_is_refused_says_so_and_is_not_sent_again() -> None:
    with ScriptedS3(lambda _: error(412, "PreconditionFailed")) as server:
        assert not records_at(server).add("a", b"1")
        with pytest.raises(StorageFailed, match="could not be stored: the bucket answered 412"):
            records_at(server).put("a", b"1")

    assert len(server.requests) == 2


def test_an_add_that_met_another_one_is_sent_again() -> None:
    tries = count()

    def script(request: Request) -> Reply:
        return error(409, "ConditionalRequestConflict") if next(tries) < 2 else agreeing(request)

    with ScriptedS3(script) as server:
        assert records_at(server).add("a", b"1")

    assert len(server.requests) == 3


def test_a_record_that_arrives_damaged_is_read_again() -> None:
    with ScriptedS3(in_turn(content(b"damaged", b"whole"), content(b"whole"))) as server:
        assert records_at(server).get("a") == b"whole"


def test_no_record_is_not_no_bucket() -> None:
    with ScriptedS3(lambda _: error(404, "NoSuchKey")) as server:
        assert records_at(server).get("a") is None
    with (
        ScriptedS3(lambda _: error(404, "NoSuchBucket")) as server,
        pytest.raises(StorageFailed, match=r"a record could not be read: .*R2_BUCKET_NAME"),
    ):
        records_at(server).get("a")


def test_a_listing_asks_for_no_more_than_it_needs() -> None:
    page = b"<ListBucketResult><IsTruncated>true</IsTruncated>%s%s</ListBucketResult>"
    more = b"<NextContinuationToken>t</NextContinuationToken>"
    found = b"".join(
        b"<Contents><Key>app/x/%d</Key><LastModified>2026-01-02T03:04:05Z</LastModified>"
        b"</Contents>" % n
        for n in (3, 4)
    )
    with ScriptedS3(lambda _: Reply(body=page % (more, found))) as server:
        assert records_at(server).list("x/", after="x/2", limit=2) == ["x/3", "x/4"]

    (request,) = server.requests
    query = parse_qs(urlsplit(request.path).query)
    assert query["prefix"] == ["app/x/"]
    assert query["start-after"] == ["app/x/2"]
    assert query["max-keys"] == ["2"]


@pytest.fixture
def line(s3_server: S3Server) -> Iterator[tuple[FaultProxy, S3Records]]:
    """Records behind a line that can be made faulty."""
    with FaultProxy(s3_server.port) as proxy:
        address = through(proxy.port, s3_server.new_bucket())
        yield proxy, S3Records(address, patience=Patience(read_seconds=1, sleep=lambda _: None))


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [fault for name, fault in FAULTS.items() if name != "reset mid-body"]
)
@pytest.mark.parametrize("sound", range(2))
def test_a_run_is_kept_whole_and_once_whatever_happens_to_the_line(
    line: tuple[FaultProxy, S3Records], fault: Fault, sound: int
) -> None:
    proxy, records = line
    archive = BucketArchive(records)
    if sound:
        archive.get("a")  # whose connection is kept
    proxy.next(fault)

    archive.put(final("a"))

    assert archive.get("a") == final("a")
    assert listings(archive) == [["a"]] * 4
    assert counted(archive) == 1


@pytest.mark.live
def test_an_add_whose_answer_is_lost_tells_nobody_that_it_was_first(
    line: tuple[FaultProxy, S3Records],
) -> None:
    proxy, records = line
    proxy.next(cut_after(0))

    assert not records.add("a", b"mine")
    assert records.get("a") == b"mine"

    proxy.next(cut_after(0))
    archive = BucketArchive(records)
    archive.put(final("a"))
    assert listings(archive) == [["a"]] * 4


@pytest.mark.live
def test_a_line_that_stays_dead_is_told(line: tuple[FaultProxy, S3Records]) -> None:
    proxy, records = line
    proxy.always(cut_after(0))

    with pytest.raises(StorageFailed, match=r"a record could not be stored: .*tried 5 times"):
        BucketArchive(records).put(final("a"))
