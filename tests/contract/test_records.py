"""What every place for small records promises."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from comfy_runner.bucket import InvalidKey, LocalRecords, Records, open_records
from comfy_runner.bucket.s3_records import S3Records
from comfy_runner.errors import StorageFailed
from settings import Settings


def local(request: pytest.FixtureRequest, root: Path) -> Records:
    return LocalRecords(root / "records.db")


def s3(request: pytest.FixtureRequest, root: Path) -> Records:
    return S3Records(replace(request.getfixturevalue("s3_address"), prefix="app/"))


@pytest.fixture(params=[local, pytest.param(s3, marks=pytest.mark.live)])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Records:
    made: Records = request.param(request, tmp_path)
    return made


def test_what_was_put_is_got_and_another_put_replaces_it(records: Records) -> None:
    records.put("a/b", b"1")
    records.put("a/b", b"\x00\xff")
    records.put("a/empty", b"")

    assert records.get("a/b") == b"\x00\xff"
    assert records.get("a/empty") == b""
    assert records.get("a") is None


def test_an_add_keeps_what_is_there(records: Records) -> None:
    assert records.add("a", b"1")
    assert not records.add("a", b"2")
    assert records.get("a") == b"1"

    records.delete("a")
    assert records.add("a", b"3")
    assert records.get("a") == b"3"


def test_of_many_adds_at_once_one_is_first(records: Records) -> None:
    values = [f"{n}".encode() for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda value: records.add("key", value), values))

    assert won.count(True) == 1
    assert records.get("key") == values[won.index(True)]


def test_a_listing_is_in_order_of_bytes_and_begins_behind_a_key(records: Records) -> None:
    keys = ["a/+1", "a/-1", "a/.1", "a/1", "a/1/2", "a/@1", "a/B", "a/_1", "a/b", "b"]
    for key in reversed(keys):
        records.put(key, b"")

    assert records.list("a/") == keys[:-1]
    assert records.list("a/1") == ["a/1", "a/1/2"]
    assert records.list("a/", after="a/1") == keys[4:-1]
    assert records.list("a/", after="a/11", limit=2) == ["a/@1", "a/B"]
    assert records.list("a/", after="Z", limit=1) == ["a/+1"]
    assert records.list("c/") == []


def test_removing_takes_those_named_and_no_other(records: Records) -> None:
    for key in ("a", "a/1", "a/2"):
        records.put(key, b"x")

    records.delete("a", "a/2", "never")
    records.delete()

    assert records.list("a") == ["a/1"]


def test_an_unusual_key_is_refused_everywhere(records: Records) -> None:
    for key in ("", "a b", "é", "a~", "/a", "..", "a/./b", "a/..", "a" * 901):
        for use in (records.get, records.delete, records.list):
            with pytest.raises(InvalidKey, match="use 1 to 900 characters"):
                use(key)
        for write in (records.add, records.put):
            with pytest.raises(InvalidKey):
                write(key, b"x")


@pytest.mark.slow
def test_more_than_a_page_is_listed_to_its_end(records: Records) -> None:
    keys = [f"many/{n:04}" for n in range(1003)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: records.put(key, b""), keys))

    assert records.list("many/", limit=2000) == keys
    assert records.list("many/", limit=1001) == keys[:1001]
    records.delete(*keys)
    assert records.list("many/") == []


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailed, match="could not be reached on this disk"):
        LocalRecords(tmp_path / "file" / "records.db").get("a")


def test_records_of_two_prefixes_never_meet(tmp_path: Path) -> None:
    here = Settings(data_dir=tmp_path)
    one, other = open_records(here, "one"), open_records(here, "other/")
    one.put("a", b"1")

    assert other.add("a", b"2")
    assert open_records(here, "one/").get("a") == b"1"
    assert other.list("a") == ["a"]
    for prefix in ("../x", "a//b", "/a"):
        with pytest.raises(InvalidKey):
            open_records(here, prefix)
