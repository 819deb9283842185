"""The current catalogue, from the worker that publishes it to whoever judges by it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.catalog import Catalog
from comfy_runner.errors import StorageFailed
from tasks import catalogue
from tasks.catalogue import Current
from tasks.framework.tick import tick
from tests.tasks.framework.rig import HandClock, Rig

OLD = Catalog(nodes={"Old": {}})
NEW = Catalog(nodes={"New": {}})


@dataclass
class CountingBucket(LocalBucket):
    """A bucket on disk that counts how often it is asked for a file."""

    place: Path
    fetched: int = 0
    stored: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.place, b"k" * 32)

    def fetch(self, key: str, path: Path) -> None:
        self.fetched += 1
        super().fetch(key, path)

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        self.stored.append(key)
        super().put(key, path, content_type=content_type, filename=filename)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


@pytest.fixture
def bucket(tmp_path: Path) -> CountingBucket:
    return CountingBucket(tmp_path)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def current(clock: HandClock) -> Current:
    return Current(clock)


def test_before_anything_is_published_there_is_none(
    rig: Rig, bucket: CountingBucket, current: Current
) -> None:
    assert current.get(bucket) is None
    assert bucket.fetched == 0


def test_what_a_worker_publishes_is_current(rig: Rig, bucket: CountingBucket) -> None:
    catalogue.publish(OLD, bucket)

    assert catalogue.current(bucket) == OLD
    assert bucket.stored == [f"catalogues/{OLD.digest}.json.gz"]


def test_the_same_again_is_not_stored_again(rig: Rig, bucket: CountingBucket) -> None:
    catalogue.publish(OLD, bucket)
    catalogue.publish(OLD, bucket)

    assert len(bucket.stored) == 1


def test_a_new_one_is_seen_within_seconds_and_an_old_one_can_come_back(
    rig: Rig, bucket: CountingBucket, current: Current, clock: HandClock
) -> None:
    catalogue.publish(OLD, bucket)
    assert current.get(bucket) == OLD

    catalogue.publish(NEW, bucket)
    clock.now += catalogue.LOOK_SECONDS - 0.1
    assert current.get(bucket) == OLD
    clock.now += 0.1
    assert current.get(bucket) == NEW

    catalogue.publish(OLD, bucket)
    clock.now += catalogue.LOOK_SECONDS
    assert current.get(bucket) == OLD


def test_one_content_is_fetched_once(
    rig: Rig, bucket: CountingBucket, current: Current, clock: HandClock
) -> None:
    catalogue.publish(OLD, bucket)

    for _ in range(10):
        assert current.get(bucket) is current.get(bucket)
        clock.now += catalogue.LOOK_SECONDS
    assert bucket.fetched == 1


def test_another_runtime_has_another_current_one(bucket: CountingBucket, current: Current) -> None:
    with Rig().configured():
        catalogue.publish(OLD, bucket)
        assert current.get(bucket) == OLD
    with Rig().configured():
        assert current.get(bucket) is None


def test_one_that_cannot_be_read_is_none_until_it_can(
    rig: Rig,
    bucket: CountingBucket,
    current: Current,
    clock: HandClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    catalogue.publish(OLD, bucket)
    assert current.get(bucket) == OLD
    catalogue.publish(NEW, bucket)
    bucket.delete("catalogues")
    clock.now += catalogue.LOOK_SECONDS
    assert current.get(bucket) is None
    assert "cannot be read" in caplog.text

    catalogue.publish(NEW, bucket)
    clock.now += catalogue.LOOK_SECONDS
    assert current.get(bucket) == NEW


def test_one_that_is_spoilt_is_none(
    rig: Rig, bucket: CountingBucket, current: Current, tmp_path: Path
) -> None:
    catalogue.publish(OLD, bucket)
    spoilt = tmp_path / "spoilt"
    spoilt.write_bytes(b"spoilt")
    key = f"catalogues/{OLD.digest}.json.gz"
    bucket.put(key, spoilt, content_type="application/gzip", filename="x")

    assert current.get(bucket) is None


def test_the_sweep_does_not_take_it_for_a_run(rig: Rig, bucket: CountingBucket) -> None:
    catalogue.publish(OLD, bucket)

    assert tick(rig.protocol) == 0
    assert rig.protocol.store.get(catalogue.KEY) == {"digest": OLD.digest}


def test_while_one_looks_the_others_get_what_was_known(
    rig: Rig, tmp_path: Path, current: Current, clock: HandClock
) -> None:
    class Asking(CountingBucket):
        seen: Catalog | None = None

        def fetch(self, key: str, path: Path) -> None:
            with ThreadPoolExecutor(1) as pool:
                self.seen = pool.submit(current.get, self).result(10) if self.fetched else None
            super().fetch(key, path)

    bucket = Asking(tmp_path)
    catalogue.publish(OLD, bucket)
    assert current.get(bucket) == OLD
    catalogue.publish(NEW, bucket)
    clock.now += catalogue.LOOK_SECONDS

    assert current.get(bucket) == NEW
    assert bucket.seen == OLD


def test_a_bucket_that_takes_long_to_fail_is_not_asked_again_at_once(
    rig: Rig, tmp_path: Path, current: Current, clock: HandClock
) -> None:
    class Slow(CountingBucket):
        def fetch(self, key: str, path: Path) -> None:
            self.fetched += 1
            clock.now += 60
            raise StorageFailed("the bucket does not answer")

    bucket = Slow(tmp_path)
    catalogue.publish(OLD, bucket)

    assert current.get(bucket) is None
    assert current.get(bucket) is None
    assert bucket.fetched == 1
