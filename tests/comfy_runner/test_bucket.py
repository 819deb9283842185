"""Files on disk behind signed URLs, with others writing and somebody forging."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_runner.bucket import (
    BadSignature,
    BucketError,
    Expired,
    InvalidKey,
    LocalBucket,
    NoSuchFile,
    open_bucket,
)
from comfy_runner.errors import StorageFailed
from settings import Settings

SECRET = b"s" * 32
KEY = "outputs/job/9/0000-a.png"


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Place:
    """A bucket with a clock to turn, and a way to store bytes in it."""

    root: Path
    clock: Clock = field(default_factory=Clock)

    @property
    def bucket(self) -> LocalBucket:
        return LocalBucket(self.root / "files", SECRET, self.clock)

    def put(self, key: str, content: bytes, filename: str = "a.png") -> None:
        source = self.root / f"source-{hashlib.sha256(content).hexdigest()}"
        source.write_bytes(content)
        self.bucket.put(key, source, content_type="image/png", filename=filename)

    def everything(self) -> set[str]:
        files = self.root / "files"
        return {str(path.relative_to(files)) for path in files.rglob("*") if path.is_file()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def parts(url: str) -> tuple[str, str, str]:
    split = urlsplit(url)
    query = parse_qs(split.query)
    return split.path.removeprefix("/files/"), query["expires"][0], query["signature"][0]


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


def test_a_signed_url_gives_the_file_until_it_expires(place: Place) -> None:
    place.put(KEY, b"x")
    url = place.bucket.url(KEY, ttl_seconds=60)
    assert url.startswith(f"/files/{KEY}?expires=1000060&signature=")
    place.clock.now += 59
    assert place.bucket.verify(*parts(url)) == place.bucket.open(KEY)
    place.clock.now += 1
    with pytest.raises(Expired, match="ask for the job again"):
        place.bucket.verify(*parts(url))


def test_a_signed_url_of_a_file_that_is_gone_says_so(place: Place) -> None:
    with pytest.raises(NoSuchFile, match=r"0000-a\.png"):
        place.bucket.verify(*parts(place.bucket.url(KEY, ttl_seconds=60)))


def test_another_secret_signs_nothing_here(place: Place) -> None:
    place.put(KEY, b"x")
    stranger = LocalBucket(place.root / "files", b"t" * 32, place.clock)
    with pytest.raises(BadSignature):
        place.bucket.verify(*parts(stranger.url(KEY, ttl_seconds=60)))


@pytest.mark.parametrize("ttl_seconds", [0, -1, 604_801])
def test_a_lifetime_out_of_range_is_refused(ttl_seconds: int, place: Place) -> None:
    with pytest.raises(ValueError, match="use 1 to 604800"):
        place.bucket.url(KEY, ttl_seconds=ttl_seconds)


def test_a_text_that_moves_from_one_part_to_the_next_is_refused(place: Place) -> None:
    key, expires, signature = parts(place.bucket.url(KEY, ttl_seconds=60))
    for changed in (("", f"{key}\n{expires}"), (f"{key}\n{expires}", ""), (f"{key}\n", expires)):
        with pytest.raises(BadSignature):
            place.bucket.verify(*changed, signature)


@given(st.data())
def test_any_change_to_a_signed_url_is_refused(data: st.DataObject) -> None:
    bucket = LocalBucket(Path("unused"), SECRET, Clock())
    changed = list(parts(bucket.url(KEY, ttl_seconds=60)))
    which = data.draw(st.integers(0, 2))
    text = changed[which]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 2)))
    inserted = data.draw(st.text(st.characters(codec=None, exclude_categories=()), max_size=2))
    changed[which] = text[:start] + inserted + text[end:]
    if changed[which] == text:
        with pytest.raises(NoSuchFile):
            bucket.verify(*changed)
    else:
        with pytest.raises(BadSignature):
            bucket.verify(*changed)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_changing_any_one_character_is_refused(which: int, place: Place) -> None:
    place.put(KEY, b"x")
    good = parts(place.bucket.url(KEY, ttl_seconds=60))
    for index, old in enumerate(good[which]):
        for new in "0aA-_":
            if new == old:
                continue
            changed = list(good)
            changed[which] = good[which][:index] + new + good[which][index + 1 :]
            with pytest.raises(BadSignature):
                place.bucket.verify(*changed)


def settings(data_dir: Path) -> Settings:
    return Settings.from_environment({"DATA_DIR": str(data_dir)})


def test_the_secret_is_made_once_and_read_by_nobody_else(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"
    url = open_bucket(settings(data_dir)).url(KEY, ttl_seconds=60)
    secret = data_dir / "url_secret"
    assert len(secret.read_bytes()) == 32
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    again = open_bucket(settings(data_dir))
    assert isinstance(again, LocalBucket)
    with pytest.raises(NoSuchFile):
        again.verify(*parts(url))
    assert [path.name for path in data_dir.iterdir()] == ["url_secret"]


def test_all_who_open_the_bucket_at_once_share_one_secret(tmp_path: Path) -> None:
    def sign(_: int) -> str:
        return open_bucket(settings(tmp_path / "data")).url(KEY, ttl_seconds=60)

    with ThreadPoolExecutor(8) as pool:
        urls = list(pool.map(sign, range(32)))
    bucket = open_bucket(settings(tmp_path / "data"))
    assert isinstance(bucket, LocalBucket)
    for url in urls:
        with pytest.raises(NoSuchFile):
            bucket.verify(*parts(url))


def test_a_damaged_secret_is_reported_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "url_secret").write_bytes(b"short")
    with pytest.raises(BucketError, match="holds 5 bytes, not 32: delete it"):
        open_bucket(settings(tmp_path))
