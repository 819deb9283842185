"""Deleting from an S3 bucket: in pages, together, one by one, and in doubt not at all."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from comfy_runner.bucket.retries import Patience
from comfy_runner.bucket.s3 import S3Bucket
from comfy_runner.errors import StorageFailed
from tests.comfy_runner.s3_script import Reply, Request, ScriptedS3

STORED_AT = 1_767_323_045  # 2026-01-02T03:04:05Z


def bucket_at(server: ScriptedS3) -> S3Bucket:
    return S3Bucket(server.address, patience=Patience(sleep=lambda _: None))


def listing(keys: list[str], following: str = "") -> Reply:
    items = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05Z</LastModified></Contents>"
        for key in keys
    )
    token = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    told = f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>{token}{items}"
    return Reply(body=f"<ListBucketResult>{told}</ListBucketResult>".encode())


class Shelf:
    """Answers for a bucket with so many files under `media/`, which refuses to delete some."""

    def __init__(
        self, count: int, *, refused: tuple[str, ...] = (), together: Reply | None = None
    ) -> None:
        self._pages = [f"media/{n:05}" for n in range(count)]
        self._refused = refused
        self._together = together
        self.batches: list[list[str]] = []
        self.singles: list[str] = []

    def __call__(self, request: Request) -> Reply:
        if request.method == "GET":
            query = parse_qs(urlsplit(request.path).query)
            assert query["prefix"] == ["media/"]
            start = int(query.get("continuation-token", ["0"])[0])
            end = start + 1000
            return listing(self._pages[start:end], str(end) if end < len(self._pages) else "")
        if request.method == "DELETE":
            self.singles.append(request.path.removeprefix("/outputs/"))
            return Reply(204)
        if self._together:
            return self._together
        batch = re.findall(r"<Key>(.*?)</Key>", request.body.decode())
        self.batches.append(batch)
        return Reply(
            body=f"<DeleteResult>{''.join(map(self._fate, batch))}</DeleteResult>".encode()
        )

    def _fate(self, key: str) -> str:
        if key in self._refused:
            return f"<Error><Key>{key}</Key><Code>InternalError</Code></Error>"
        return f"<Deleted><Key>{key}</Key></Deleted>"


def test_what_is_deleted_is_listed_page_by_page_and_goes_a_thousand_at_a_time() -> None:
    shelf = Shelf(2100)
    with ScriptedS3(shelf) as server:
        bucket_at(server).delete("media")
        assert bucket_at(server).purge("media", before=2_000_000_000) == 2100
        assert bucket_at(server).purge("media", before=STORED_AT) == 0

    everything = [f"media/{n:05}" for n in range(2100)]
    assert [len(batch) for batch in shelf.batches] == [1000, 1000, 101, 1000, 1000, 100]
    assert [key for batch in shelf.batches[:3] for key in batch] == ["media", *everything]
    assert shelf.singles == []


def test_files_that_were_refused_together_are_deleted_one_by_one() -> None:
    shelf = Shelf(3, refused=("media/00001",))
    with ScriptedS3(shelf) as server:
        bucket_at(server).delete("media")

    assert shelf.singles == ["media/00001"]


@pytest.mark.parametrize("status", [400, 401, 501])
def test_a_bucket_that_takes_no_deletions_together_gets_them_one_by_one(status: int) -> None:
    shelf = Shelf(2, together=Reply(status))
    with ScriptedS3(shelf) as server:
        bucket_at(server).delete("media")

    assert shelf.singles == ["media", "media/00000", "media/00001"]


def test_an_empty_answer_is_no_empty_bucket() -> None:
    with (
        ScriptedS3(lambda _: Reply()) as server,
        pytest.raises(StorageFailed, match="files could not be listed: it was damaged"),
    ):
        bucket_at(server).delete("media")
    with (
        ScriptedS3(lambda _: Reply()) as server,
        pytest.raises(StorageFailed, match="a file could not be looked up: it was damaged"),
    ):
        bucket_at(server).stored_at("media/1")


def test_a_list_that_is_cut_short_is_asked_for_again() -> None:
    shelf = Shelf(1)

    def broken_once(request: Request) -> Reply:
        whole = shelf(request)
        return Reply(body=whole.body[:60]) if len(server.requests) == 1 else whole

    with ScriptedS3(broken_once) as server:
        bucket_at(server).delete("media")

    assert shelf.batches == [["media", "media/00000"]]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Reply(503), r"answered 503 \(tried 5 times\)"),
        (
            Reply(404, b"<Error><Code>NoSuchBucket</Code></Error>"),
            "answered 404 NoSuchBucket; che",
        ),
    ],
)
def test_a_bucket_that_is_away_is_not_asked_for_one_file_after_the_other(
    answer: Reply, told: str
) -> None:
    shelf = Shelf(2, together=answer)
    with (
        ScriptedS3(shelf) as server,
        pytest.raises(StorageFailed, match=rf"files could not be deleted: .*{told}"),
    ):
        bucket_at(server).delete("media")

    assert shelf.singles == []
