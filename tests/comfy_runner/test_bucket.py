"""Files on disk under their keys, with others writing and deleting."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from comfy_runner.bucket import InvalidKey, NoSuchFile
from comfy_runner.errors import StorageFailed
from tests.comfy_runner.buckets import KEY, Place


def test_a_file_comes_back_as_it_was_put(place: Place) -> None:
    place.put(KEY, b"content", filename="olá.png")
    stored = place.bucket.open(KEY)
    assert stored.path.read_bytes() == b"content"
    assert (stored.content_type, stored.filename, stored.size) == ("image/png", "olá.png", 7)
    assert stored.etag == hashlib.sha256(b"content").hexdigest()


def test_a_file_larger_than_one_read_comes_back_whole(place: Place) -> None:
    content = bytes(range(256)) * 10_000
    place.put(KEY, content)
    assert place.bucket.open(KEY).path.read_bytes() == content


def test_a_second_put_replaces_and_whoever_holds_the_first_still_reads_it(place: Place) -> None:
    place.put(KEY, b"first")
    first = place.bucket.open(KEY)
    place.put(KEY, b"second")
    assert place.bucket.open(KEY).path.read_bytes() == b"second"
    assert first.path.read_bytes() == b"first"


def test_puts_of_one_key_at_once_leave_one_of_them_whole(place: Place) -> None:
    contents = [bytes([index]) * 100_000 for index in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: place.put(KEY, content), contents * 4))
    stored = place.bucket.open(KEY)
    content = stored.path.read_bytes()
    assert content in contents
    assert stored.etag == hashlib.sha256(content).hexdigest()


def test_a_put_that_fails_leaves_what_was_there_and_nothing_else(place: Place) -> None:
    place.put(KEY, b"first")
    before = place.everything()
    with pytest.raises(
        StorageFailed, match=r"'b.png' could not be stored: No such file"
    ) as caught:
        place.bucket.put(KEY, place.root / "missing", content_type="image/png", filename="b.png")
    assert str(place.root) not in str(caught.value)
    assert place.everything() == before
    assert place.bucket.open(KEY).path.read_bytes() == b"first"


def test_a_put_that_is_cancelled_halfway_leaves_nothing(place: Place) -> None:
    class Cancelled(BaseException):
        pass

    class Source(type(place.root)):  # type: ignore[misc]
        """A path whose file is cut short by a cancel, as a signal would."""

        def open(self, *_: Any, **__: Any) -> Any:
            raise Cancelled

    with pytest.raises(Cancelled):
        place.bucket.put(KEY, Source(place.root), content_type="image/png", filename="b.png")
    assert place.everything() == set()
    with pytest.raises(NoSuchFile):
        place.bucket.open(KEY)


def test_an_object_whose_description_was_lost_is_no_file(place: Place) -> None:
    place.put(KEY, b"x")
    (place.root / "files" / f"{KEY}~" / "meta.json").write_bytes(b"")
    with pytest.raises(NoSuchFile):
        place.bucket.open(KEY)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "a/.hidden",
        "a~",
        "~temporary/x",
        "a b",
        "a\\b",
        "a\n",
        "a\0",
        "é",
        "٣",
        "a?b",
        "a%2e",
        "a" * 201,
        "/".join(["a" * 100] * 10),
    ],
)
def test_an_unusual_key_is_refused_everywhere(key: str, place: Place) -> None:
    bucket, source = place.bucket, place.root / "source"
    source.write_bytes(b"x")
    with pytest.raises(InvalidKey, match="use segments of A-Z"):
        bucket.put(key, source, content_type="image/png", filename="a.png")
    for call in (bucket.open, bucket.delete):
        with pytest.raises(InvalidKey):
            call(key)
    with pytest.raises(InvalidKey):
        bucket.url(key, ttl_seconds=1)
    assert not (place.root / "files").exists()


def test_keys_that_begin_alike_do_not_touch(place: Place) -> None:
    for key in ("outputs/job", "outputs/job/1", "outputs/job/1/x", "outputs/job1/1"):
        place.put(key, key.encode())
    place.bucket.delete("outputs/job")
    for gone in ("outputs/job", "outputs/job/1", "outputs/job/1/x"):
        with pytest.raises(NoSuchFile):
            place.bucket.open(gone)
    assert place.bucket.open("outputs/job1/1").path.read_bytes() == b"outputs/job1/1"
    assert len(place.everything()) == 2


def test_deleting_nothing_or_twice_or_at_once_is_fine(place: Place) -> None:
    place.bucket.delete("outputs/nobody")
    place.put(KEY, b"x")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(place.bucket.delete, ["outputs/job"] * 16))
    assert place.everything() == set()


def test_deleting_does_not_follow_a_link_out(place: Place) -> None:
    outside = place.root / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"x")
    place.put(KEY, b"x")
    (place.root / "files/outputs/job/link").symlink_to(outside)
    place.bucket.delete("outputs/job")
    assert (outside / "kept").exists()
