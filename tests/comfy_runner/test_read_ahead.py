from __future__ import annotations

from pathlib import Path

import pytest

from comfy_runner.read_ahead import CHUNK_BYTES, ReadAhead
from tests.waiting import eventually


def test_every_file_is_read_to_its_end(tmp_path: Path) -> None:
    sizes = (CHUNK_BYTES + 5, 0, 7)
    files = [tmp_path / str(number) for number in range(3)]
    for file, size in zip(files, sizes, strict=True):
        file.write_bytes(b"x" * size)
    reading = ReadAhead(files)
    reading.start()
    assert reading.wait(20)
    assert reading.bytes == sum(sizes)


def test_a_file_that_is_not_there_is_named_and_the_next_one_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "there").write_bytes(b"12345")
    reading = ReadAhead([tmp_path / "missing.safetensors", tmp_path, tmp_path / "there"])
    reading.start()
    assert reading.wait(20)
    assert reading.bytes == 5
    assert "missing.safetensors cannot be read ahead: No such file" in caplog.text


def test_it_stops_in_the_middle_of_a_file_without_end() -> None:
    reading = ReadAhead([Path("/dev/zero")])
    reading.start()
    eventually(lambda: reading.bytes)
    reading.stop()
    reading.stop()
    assert reading.wait(0)


def test_one_that_never_began_can_be_stopped() -> None:
    ReadAhead([]).stop()
