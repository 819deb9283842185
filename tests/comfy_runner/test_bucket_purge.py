"""Growing old on disk: what a purge takes, what it spares, and what crashes have left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from comfy_runner.bucket import NoSuchFile
from tests.comfy_runner.buckets import KEY, Place
from tests.test_imports import ROOT
from tests.waiting import eventually

DAY = 86_400


def test_a_file_is_as_old_as_its_last_put(place: Place) -> None:
    assert place.bucket.stored_at(KEY) is None
    place.put(KEY, b"x")
    place.clock.now += 10
    place.put(KEY, b"x")
    assert place.bucket.stored_at(KEY) == place.clock.now
    assert place.bucket.purge("outputs", before=place.clock.now) == 0
    assert place.bucket.purge("outputs", before=place.clock.now + 1) == 1
    assert place.bucket.stored_at(KEY) is None
    assert place.everything() == set()


def test_an_object_whose_description_was_lost_has_no_time_and_goes_when_old(place: Place) -> None:
    place.put(KEY, b"x")
    meta = place.root / "files" / f"{KEY}~" / "meta.json"
    meta.write_bytes(b"")
    assert place.bucket.stored_at(KEY) is None
    assert place.bucket.purge("outputs", before=0) == 0
    assert place.everything()
    assert place.bucket.purge("outputs", before=meta.parent.stat().st_mtime + 1) == 0
    assert place.everything() == set()


def test_empty_directories_go_when_they_are_old(place: Place) -> None:
    place.put(KEY, b"x")
    place.put("outputs/other", b"x")
    place.bucket.delete(KEY)
    directories = [place.root / "files" / name for name in ("outputs/job/9", "outputs/job")]
    place.bucket.purge("outputs", before=0)
    assert all(directory.exists() for directory in directories)
    for directory in directories:
        os.utime(directory, (0, 0))
    place.bucket.purge("outputs", before=1)
    assert not directories[0].exists()
    assert place.bucket.stored_at("outputs/other") is not None


KILLED = """
import sys
from pathlib import Path
from comfy_runner.bucket import LocalBucket

class Endless(type(Path())):
    def open(self, *_, **__):
        return open("/dev/zero", "rb")

bucket = LocalBucket(Path(sys.argv[1]), b"s" * 32)
bucket.put("media/a", Endless("source"), content_type="image/png", filename="a.png")
"""


def test_what_a_kill_left_of_a_put_is_swept_a_day_later(place: Place) -> None:
    temporary = place.root / "files" / "~temporary"
    command = [sys.executable, "-c", KILLED, str(place.root / "files")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        eventually(lambda: temporary.exists() and any(map(grown, temporary.iterdir())))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    (left,) = temporary.iterdir()
    with pytest.raises(NoSuchFile):
        place.bucket.open("media/a")

    place.clock.now = left.stat().st_mtime + DAY - 1
    place.bucket.purge("media", before=0)
    assert left.exists()

    place.clock.now += 2
    place.bucket.purge("media", before=0)
    assert list(temporary.iterdir()) == []


def grown(directory: Path) -> bool:
    content = directory / "content"
    return content.exists() and content.stat().st_size > 0


def test_a_file_is_fetched_over_what_is_there(place: Place) -> None:
    place.put(KEY, b"content")
    target = place.root / "target"
    target.write_bytes(b"longer than the content")
    place.bucket.fetch(KEY, target)
    assert target.read_bytes() == b"content"
    target.write_bytes(b"changed")
    assert place.bucket.open(KEY).path.read_bytes() == b"content"
