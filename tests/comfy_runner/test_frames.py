"""Frames counted in files built block by block, as no usual encoder writes them."""

from __future__ import annotations

import io
import struct

import pytest

from comfy_runner.frames import Frames, count

NO_COLOURS, TWO_COLOURS, FOUR_COLOURS = 0x07, 0x80, 0x81
COMMENT = b"\x21\xfe\x03abc\x02de\0"


def counted(content: bytes, content_type: str) -> Frames | None:
    return count(io.BytesIO(content), content_type)


def gif(flags: int, *blocks: bytes) -> bytes:
    table = bytes(3 << ((flags & 7) + 1)) if flags & 0x80 else b""
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, flags, 0, 0) + table + b"".join(blocks)


def gif_image(flags: int) -> bytes:
    table = bytes(3 << ((flags & 7) + 1)) if flags & 0x80 else b""
    return b"\x2c" + bytes(8) + bytes([flags]) + table + b"\x02" + b"\x02ab\x01c\0"


def gif_delay(hundredths: int) -> bytes:
    return b"\x21\xf9\x04\0" + struct.pack("<H", hundredths) + b"\0\0"


@pytest.mark.parametrize("flags", [NO_COLOURS, TWO_COLOURS, FOUR_COLOURS])
def test_a_gif_is_counted_with_colours_of_its_own_or_without(flags: int) -> None:
    image = gif_image(flags)
    blocks = (COMMENT, gif_delay(25), image, image, gif_delay(300), COMMENT, image)
    assert counted(gif(flags, *blocks, b"\x3b after"), "image/gif") == Frames(3, 3.25)


@pytest.mark.parametrize(
    "content", [gif(NO_COLOURS, b"\x99"), gif(NO_COLOURS), gif(NO_COLOURS, COMMENT), b"GIF89a"]
)
def test_a_gif_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no block of a GIF|ends within"):
        counted(content, "image/gif")


def test_a_gif_without_an_image_has_no_frames() -> None:
    assert counted(gif(NO_COLOURS, b"\x3b"), "image/gif") is None


def chunk(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + name + content + b"CRC."


def frame(numerator: int, denominator: int) -> bytes:
    return chunk(b"fcTL", bytes(20) + struct.pack(">HH", numerator, denominator) + bytes(2))


def test_the_frames_of_a_png_are_told_by_their_control_chunks() -> None:
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13))
    frames = frame(1, 4) + chunk(b"IDAT", b"x") + frame(300, 0) + chunk(b"fdAT", bytes(9))
    moving = start + chunk(b"acTL", bytes(8)) + frames + chunk(b"IEND")
    assert counted(moving, "image/png") == Frames(2, 3.25)
    assert counted(start + chunk(b"IDAT"), "image/png") is None
    assert counted(start + chunk(b"IDAT") + frames, "image/png") is None
    assert counted(start + chunk(b"IEND"), "image/png") is None
    with pytest.raises(ValueError, match="ends within"):
        counted(moving[:-20], "image/png")


def riff(*parts: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP"
    for name, content in parts:
        body += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_the_frames_of_a_webp_are_told_by_their_chunks_up_to_its_end() -> None:
    moving = bytes(12) + (300).to_bytes(3, "little") + b"\xff"
    parts = (
        (b"VP8X", bytes(10)),
        (b"ODD ", bytes(3)),
        (b"ANMF", moving),
        (b"ANMF", moving + b"x"),
    )
    assert counted(riff(*parts), "image/webp") == Frames(2, 0.6)
    assert counted(riff(*parts) + b"ANMF" + bytes(99), "image/webp") == Frames(2, 0.6)
    assert counted(riff((b"VP8 ", bytes(5))), "image/webp") is None
    assert counted(riff(), "image/webp") is None


def test_a_type_without_frames_has_none() -> None:
    assert counted(b"", "image/jpeg") is None


def test_a_tiff_of_the_large_kind_is_refused() -> None:
    content = struct.pack("<2sHI", b"II", 43, 8) + struct.pack("<HI", 0, 0)
    with pytest.raises(ValueError, match="large kind"):
        counted(content, "image/tiff")
