"""What is told of pictures, videos and sounds, and that no file makes trouble."""

from __future__ import annotations

import os
import random
import struct
import zlib
from pathlib import Path

import pytest

from comfy_runner import frames
from comfy_runner.facts import Facts, facts
from tests.comfy_runner.samples import FRAMES, HEIGHT, RATE, WIDTH, Sample, film, picture, samples

TOLD = [each for each in samples() if each.facts != Facts()]
MUTATIONS = 40


def written(directory: Path, content: bytes) -> Path:
    path = directory / "file"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("sample", samples(), ids=lambda each: each.format)
def test_the_headers_of_a_file_tell_its_size_and_length(sample: Sample, tmp_path: Path) -> None:
    told = facts(written(tmp_path, sample.content), sample.content_type)
    assert (told.width, told.height) == (sample.facts.width, sample.facts.height)
    assert told.frames == sample.facts.frames
    assert told.duration_seconds == pytest.approx(sample.facts.duration_seconds, abs=0.001)


@pytest.mark.parametrize("sample", TOLD, ids=lambda each: each.format)
def test_a_file_cut_off_or_spoilt_anywhere_is_no_trouble(sample: Sample, tmp_path: Path) -> None:
    chance = random.Random(sample.format)
    for _ in range(MUTATIONS):
        content = bytearray(sample.content)
        for _ in range(chance.choice((0, 1, 3, 30))):
            content[chance.randrange(min(len(content), 512))] = chance.choice((0, 1, 127, 255))
        del content[chance.choice((len(content), chance.randrange(len(content)))) :]
        told = facts(written(tmp_path, bytes(content)), sample.content_type)
        assert told.duration_seconds is None or told.duration_seconds > 0
        assert all(each is None or each > 0 for each in (told.width, told.height, told.frames))


@pytest.mark.parametrize("sample", TOLD, ids=lambda each: each.format)
def test_a_file_of_nothing_but_noise_after_its_first_bytes_tells_nothing_wild(
    sample: Sample, tmp_path: Path
) -> None:
    noise = random.Random(sample.format).randbytes(5000)
    told = facts(written(tmp_path, sample.content[:16] + noise), sample.content_type)
    assert isinstance(told, Facts)


def test_the_size_of_a_picture_that_would_unfold_hugely_is_told(tmp_path: Path) -> None:
    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 60_000, 50_000, 8, 2, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b"")]
    told = facts(written(tmp_path, b"\x89PNG\r\n\x1a\n" + b"".join(chunks)), "image/png")
    assert told == Facts(60_000, 50_000, None, 1)


def test_the_size_of_an_animation_that_is_cut_off_is_told(tmp_path: Path) -> None:
    content = picture("GIF", FRAMES)
    assert facts(written(tmp_path, content[:-40]), "image/gif") == Facts(WIDTH, HEIGHT)


def test_a_file_of_another_type_than_it_is_said_to_be_tells_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, film("mp4", "libx264"))
    assert facts(path, "image/png") == Facts()
    assert facts(path, "video/x-msvideo") == Facts()
    assert facts(path, "text/plain") == Facts()


def test_a_list_of_addresses_is_not_followed(tmp_path: Path) -> None:
    film_path = tmp_path / "film.mp4"
    film_path.write_bytes(film("mp4", "libx264"))
    listed = f"ffconcat version 1.0\nfile {film_path}\n".encode()
    for content_type in ("video/mp4", "video/x-matroska", "audio/mpeg"):
        assert facts(written(tmp_path, listed), content_type) == Facts()


def test_the_picture_on_the_cover_of_a_sound_is_not_its_size(tmp_path: Path) -> None:
    told = facts(written(tmp_path, film("matroska", "ffv1")), "audio/mp4")
    assert told.width is None
    path = written(tmp_path, film("mp4", "libx264"))
    assert facts(path, "audio/mp4") == Facts(duration_seconds=FRAMES / RATE)


def test_what_is_no_file_tells_nothing_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "missing", "."):
        assert facts(tmp_path / name, "image/png") == Facts()


def test_counting_ends_although_a_file_does_not(tmp_path: Path) -> None:
    image = b"\x2c" + bytes(9) + b"\x02\0"
    content = (
        b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + image * (frames.MOST_READS // 3 + 1)
    )
    with written(tmp_path, content).open("rb") as file, pytest.raises(ValueError, match="more"):
        frames.count(file, "image/gif")


def test_the_pages_of_a_tiff_that_bites_its_own_tail_are_counted_once(tmp_path: Path) -> None:
    content = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<HI", 0, 8)
    with written(tmp_path, content).open("rb") as file:
        assert frames.count(file, "image/tiff") == frames.Frames(1, 0.0)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_of_either_byte_order_is_counted(order: str, tmp_path: Path) -> None:
    mark = b"II" if order == "<" else b"MM"
    content = struct.pack(f"{order}2sHI", mark, 42, 8)
    content += struct.pack(f"{order}H12sI", 1, b"", 26) + struct.pack(f"{order}HI", 0, 0)
    with written(tmp_path, content).open("rb") as file:
        assert frames.count(file, "image/tiff") == frames.Frames(2, 0.0)
