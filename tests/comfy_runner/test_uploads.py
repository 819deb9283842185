"""Outputs on their way into a bucket that takes its time, or does not take them."""

from __future__ import annotations

import hashlib
import re
import threading
from pathlib import Path

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.errors import StorageFailed
from comfy_runner.outputs import FileReference, Output, TextReference
from comfy_runner.uploads import PARALLEL, Uploads
from tests.waiting import eventually


class GatedBucket(LocalBucket):
    """Takes a file only once its gate is open, and none whose name is on the list."""

    def __init__(self, root: Path, *, refused: frozenset[str] = frozenset()) -> None:
        super().__init__(root / "files", b"k" * 32)
        self.gate = threading.Event()
        self._refused = refused
        self._lock = threading.Lock()
        self.inside = 0
        self.most_inside = 0
        self.begun: list[str] = []

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        with self._lock:
            self.inside += 1
            self.begun.append(filename)
            self.most_inside = max(self.most_inside, self.inside)
        assert self.gate.wait(30)
        with self._lock:
            self.inside -= 1
        if filename in self._refused:
            raise StorageFailed("the bucket is full")
        super().put(key, path, content_type=content_type, filename=filename)


class Folder:
    """ComfyUI's output folder, with uploads from it."""

    def __init__(self, root: Path, bucket: LocalBucket) -> None:
        self.path = root / "output"
        self.path.mkdir()
        self.bucket = bucket
        self.uploads = Uploads(bucket, "job", {"output": self.path})

    def add(self, *names: str, node: str = "9") -> None:
        for name in names:
            if not (self.path / name).exists():  # an upload may be reading it
                (self.path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())
            self.uploads.add(name, FileReference(node, name, "", "output"))


def numbered(count: int) -> list[str]:
    return [f"{number}.png" for number in range(count)]


def test_adding_does_not_wait_for_the_bucket(tmp_path: Path) -> None:
    bucket = GatedBucket(tmp_path)
    folder = Folder(tmp_path, bucket)
    folder.add("a.png")
    assert (folder.uploads.stored, folder.uploads.pending) == ((), 1)
    bucket.gate.set()
    (output,) = finish(folder.uploads)
    assert (output.filename, folder.uploads.pending) == ("a.png", 0)
    assert bucket.open(output.key).path.read_bytes().endswith(b"a.png")


def test_as_many_files_as_allowed_are_under_way_at_a_time_and_no_more(tmp_path: Path) -> None:
    bucket = GatedBucket(tmp_path)
    folder = Folder(tmp_path, bucket)
    folder.add(*numbered(3 * PARALLEL))
    eventually(lambda: bucket.inside == PARALLEL)
    bucket.gate.set()
    outputs = finish(folder.uploads)
    assert [each.filename for each in outputs] == numbered(3 * PARALLEL)
    assert bucket.most_inside == PARALLEL


def test_a_file_is_stored_once_however_often_it_is_named(tmp_path: Path) -> None:
    bucket = GatedBucket(tmp_path)
    folder = Folder(tmp_path, bucket)
    folder.add("a.png", "a.png")
    bucket.gate.set()
    finish(folder.uploads)
    folder.add("a.png")
    finish(folder.uploads)
    assert bucket.begun == ["a.png"]


def test_files_of_a_node_are_numbered_and_nodes_do_not_share_numbers(tmp_path: Path) -> None:
    bucket = GatedBucket(tmp_path)
    folder = Folder(tmp_path, bucket)
    bucket.gate.set()
    folder.add("a.png", "b.png", node="9")
    folder.add("c.png", node="10")
    keys = [each.key for each in finish(folder.uploads)]
    assert [re.sub("-[0-9a-f]{16}-", "-#-", key) for key in keys] == [
        "outputs/job/9/0000-#-a.png",
        "outputs/job/9/0001-#-b.png",
        "outputs/job/10/0000-#-c.png",
    ]


def test_another_content_has_another_key_and_the_same_the_same(tmp_path: Path) -> None:
    keys = []
    for attempt, content in enumerate((b"one", b"one", b"two")):
        bucket = GatedBucket(tmp_path / str(attempt))
        bucket.gate.set()
        (tmp_path / str(attempt)).mkdir(exist_ok=True)
        folder = Folder(tmp_path / str(attempt), bucket)
        (folder.path / "a.txt").write_bytes(content)
        folder.uploads.add("a", FileReference("9", "a.txt", "", "output"))
        stored = finish(folder.uploads)
        assert [each.sha256 for each in stored] == [hashlib.sha256(content).hexdigest()]
        keys += [each.key for each in stored]
    assert keys[0] == keys[1] != keys[2]


def test_a_text_is_there_at_once_and_takes_no_number(tmp_path: Path) -> None:
    folder = Folder(tmp_path, GatedBucket(tmp_path))
    folder.uploads.add("t", TextReference("9", "hello"))
    folder.uploads.add("t", TextReference("9", "hello"))
    assert [each.text for each in folder.uploads.stored] == ["hello"]
    folder.bucket.gate.set()  # type: ignore[attr-defined]  # it is a GatedBucket
    folder.add("a.png")
    text, file = finish(folder.uploads)
    assert text.key == ""
    assert file.key.startswith("outputs/job/9/0000-")


def test_a_file_that_cannot_be_stored_is_told_with_those_that_were(tmp_path: Path) -> None:
    bucket = GatedBucket(tmp_path, refused=frozenset({"b.png"}))
    folder = Folder(tmp_path, bucket)
    folder.add("a.png", "b.png", "c.png")
    folder.uploads.check()
    bucket.gate.set()
    with pytest.raises(StorageFailed) as caught:
        finish(folder.uploads)
    assert caught.value.message == (
        "1 of 3 output files could not be stored (b.png): the bucket is full; stored: a.png, c.png"
    )
    assert caught.value.node_id == "9"
    with pytest.raises(StorageFailed):
        folder.uploads.check()


def finish(uploads: Uploads) -> tuple[Output, ...]:
    assert uploads.wait(30)
    uploads.check()
    return uploads.stored


class BrokenBucket(LocalBucket):
    """Fails in a way that nobody thought of."""

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        raise RuntimeError("key AKIA1234 is bad")


def test_a_failure_that_is_not_for_clients_is_told_without_its_words(tmp_path: Path) -> None:
    folder = Folder(tmp_path, BrokenBucket(tmp_path, b"k" * 32))
    folder.add("a.png")
    with pytest.raises(StorageFailed) as caught:
        finish(folder.uploads)
    assert caught.value.message.endswith("(a.png): unexpected failure; none was stored")
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_an_error_names_ten_files_and_counts_the_rest(tmp_path: Path) -> None:
    names = numbered(13)
    bucket = GatedBucket(tmp_path, refused=frozenset(names))
    folder = Folder(tmp_path, bucket)
    bucket.gate.set()
    folder.add(*names)
    with pytest.raises(StorageFailed, match=r"9\.png and 3 more\): .*none was stored"):
        finish(folder.uploads)


def test_abandoning_begins_no_further_upload_and_waits_for_none(tmp_path: Path) -> None:
    bucket = GatedBucket(tmp_path)
    folder = Folder(tmp_path, bucket)
    folder.add(*numbered(3 * PARALLEL))
    eventually(lambda: bucket.inside == PARALLEL)
    folder.uploads.abandon()
    assert len(bucket.begun) == PARALLEL
    bucket.gate.set()
    eventually(lambda: folder.uploads.pending == 0)
    assert len(bucket.begun) == PARALLEL


def test_no_thread_stays_behind(tmp_path: Path) -> None:
    bucket = GatedBucket(tmp_path)
    folder = Folder(tmp_path, bucket)
    bucket.gate.set()
    folder.add(*numbered(20))
    finish(folder.uploads)
    eventually(lambda: not [each for each in threading.enumerate() if each.name == "upload"])
