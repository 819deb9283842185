"""Signed URLs of files: until when, signed by whom, and with somebody forging."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_runner.bucket import (
    BadSignature,
    BucketError,
    Expired,
    LocalBucket,
    NoSuchFile,
    open_bucket,
)
from settings import Settings
from tests.comfy_runner.buckets import KEY, SECRET, Clock, Place, parts


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


SEGMENTS = st.from_regex(r"(?!\.)[A-Za-z0-9._+-]{1,40}", fullmatch=True)
KEYS = st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join)
LIFETIMES = st.integers(1, 604_800)
SECRETS = st.binary(min_size=32, max_size=32)
ANY_CHARACTER = st.characters(codec=None, exclude_categories=())


@given(KEYS, LIFETIMES, SECRETS, st.floats(0, 2**40))
def test_any_signed_url_is_known_to_its_bucket_for_just_its_lifetime(
    key: str, ttl_seconds: int, secret: bytes, now: float
) -> None:
    clock = Clock(now)
    bucket = LocalBucket(Path("unused"), secret, clock)
    asked = parts(bucket.url(key, ttl_seconds=ttl_seconds))
    assert asked[0] == key
    clock.now = int(now) + ttl_seconds - 1
    with pytest.raises(NoSuchFile):  # all was right but that there is no file
        bucket.verify(*asked)
    clock.now += 1
    with pytest.raises(Expired):
        bucket.verify(*asked)


@given(KEYS, LIFETIMES, st.data())
def test_any_change_to_a_signed_url_is_refused(
    key: str, ttl_seconds: int, data: st.DataObject
) -> None:
    bucket = LocalBucket(Path("unused"), SECRET, Clock())
    changed = list(parts(bucket.url(key, ttl_seconds=ttl_seconds)))
    which = data.draw(st.integers(0, 2))
    text = changed[which]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 2)))
    inserted = data.draw(st.text(ANY_CHARACTER, max_size=2))
    changed[which] = text[:start] + inserted + text[end:]
    refusal = NoSuchFile if changed[which] == text else BadSignature
    with pytest.raises(refusal):
        bucket.verify(*changed)


@given(KEYS, KEYS, LIFETIMES, SECRETS, SECRETS)
def test_no_signature_is_good_for_another_key_or_another_bucket(
    one: str, other: str, ttl_seconds: int, secret: bytes, stranger: bytes
) -> None:
    bucket = LocalBucket(Path("unused"), secret, Clock())
    key, expires, signature = parts(bucket.url(one, ttl_seconds=ttl_seconds))
    if other != one:
        with pytest.raises(BadSignature):
            bucket.verify(other, expires, signature)
    if stranger != secret:
        with pytest.raises(BadSignature):
            LocalBucket(Path("unused"), stranger, Clock()).verify(key, expires, signature)


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
