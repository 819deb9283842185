"""How many pixels a picture unpacks to, read from its headers without unpacking it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MOST_PIXELS = 100_000_000
"""Of one frame: what ComfyUI makes of it takes twelve bytes a pixel."""

MOST_PIXELS_OF_ALL_FRAMES = 500_000_000

_AVIF_HEAD_BYTES = 1 << 20
_MOST_STEPS = 1_000_000


@dataclass(frozen=True)
class Extent:
    """The largest width and height that any header claims, and the number of frames."""

    width: int
    height: int
    frames: int = 1

    @property
    def is_too_large(self) -> bool:
        """Tell whether unpacking it would take more memory than a job may have for a picture."""
        pixels = self.width * self.height
        return pixels > MOST_PIXELS or pixels * self.frames > MOST_PIXELS_OF_ALL_FRAMES


class Unreadable(ValueError):
    """The headers do not hold together; nothing will be able to show the picture."""


def extent(path: Path, content_type: str) -> Extent:
    """Return the extent of the picture in a file of one of the image types that are taken.

    Decoders differ in which of two contradicting headers they believe: the largest counts.

    Raises:
        Unreadable: The file is cut off or is no such picture.
    """
    with path.open("rb") as file:
        try:
            found = _READERS[content_type](file)
        except struct.error as error:
            raise Unreadable("it is cut off") from error
    if found.width < 1 or found.height < 1:
        raise Unreadable("it has no size")
    return found


def _read(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _largest(sizes: list[tuple[int, int]], frames: int = 1) -> Extent:
    if not sizes:
        raise Unreadable("it has no size")
    return Extent(max(w for w, _ in sizes), max(h for _, h in sizes), max(frames, 1))


def _png(file: BinaryIO) -> Extent:
    """PNG, third edition, 5 and 11: IHDR first, acTL before the first IDAT."""
    file.seek(8)
    sizes: list[tuple[int, int]] = []
    frames = 1
    for _ in range(_MOST_STEPS):
        length, kind = struct.unpack(">I4s", file.read(8))
        following = file.tell() + length + 4
        if kind == b"IHDR":
            width, height = _read(file, ">II")
            sizes.append((width, height))
        elif kind == b"acTL":
            (frames,) = _read(file, ">I")
        elif kind in {b"IDAT", b"IEND"}:
            return _largest(sizes, frames)
        file.seek(following)
    raise Unreadable("its headers do not end")


def _jpeg(file: BinaryIO) -> Extent:
    """ITU T.81, B.1.1: markers with lengths up to the first scan; SOFn holds the size."""
    file.seek(2)
    sizes: list[tuple[int, int]] = []
    before = 0
    for _ in range(_MOST_STEPS):
        (mark,) = _read(file, ">B")
        is_marker = before == 0xFF and mark not in {0x00, 0xFF}
        before = mark  # decoders skip what stands between segments
        if not is_marker or mark == 0x01 or 0xD0 <= mark <= 0xD8:
            continue
        if mark in {0xDA, 0xD9}:
            return _largest(sizes)
        (length,) = _read(file, ">H")
        following = file.tell() + length - 2
        if 0xC0 <= mark <= 0xCF and mark not in {0xC4, 0xC8, 0xCC}:
            _, height, width = _read(file, ">BHH")
            sizes.append((width, height))
        file.seek(following)
    raise Unreadable("its headers do not end")


def _gif(file: BinaryIO) -> Extent:
    """GIF89a: a screen, then blocks; a frame may reach beyond the screen."""
    file.seek(6)
    width, height, flags, _, _ = _read(file, "<HHBBB")
    sizes, frames = [(width, height)], 0
    file.seek(_colours(flags), 1)
    for _ in range(_MOST_STEPS):
        introducer = file.read(1)
        if introducer == b"!":
            file.seek(1, 1)
        elif introducer == b",":
            left, top, width, height, flags = _read(file, "<HHHHB")
            sizes.append((left + width, top + height))
            frames += 1
            file.seek(_colours(flags) + 1, 1)
        else:  # the end, or what a decoder takes for it
            return _largest(sizes, frames)
        _skip_blocks(file)
    raise Unreadable("it has too many blocks")


def _colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(file: BinaryIO) -> None:
    while length := file.read(1):
        if length == b"\0":
            return
        file.seek(length[0], 1)


def _webp(file: BinaryIO) -> Extent:
    """WebP container: VP8X has the canvas, each ANMF is a frame, VP8 and VP8L have their own."""
    file.seek(12)
    sizes: list[tuple[int, int]] = []
    frames = 0
    for _ in range(_MOST_STEPS):
        head = file.read(8)
        if len(head) < 8:
            return _largest(sizes, frames)
        kind, length = struct.unpack("<4sI", head)
        following = file.tell() + length + length % 2
        frames += kind == b"ANMF"
        sizes.extend(_webp_size(kind, file.read(min(length, 16))))
        file.seek(following)
    raise Unreadable("it has too many chunks")


def _webp_size(kind: bytes, data: bytes) -> Iterator[tuple[int, int]]:
    if kind == b"VP8X":
        yield _three(data[4:7]) + 1, _three(data[7:10]) + 1
    elif kind == b"ANMF":
        yield _three(data[6:9]) + 1, _three(data[9:12]) + 1
    elif kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[6:10])
        yield width & 0x3FFF, height & 0x3FFF
    elif kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[1:5])
        yield (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _three(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _bmp(file: BinaryIO) -> Extent:
    """BITMAPCOREHEADER has 16-bit sizes, all later headers 32-bit ones; height may be negative."""
    file.seek(14)
    (size,) = _read(file, "<I")
    width, height = _read(file, "<HH" if size == 12 else "<ii")
    return Extent(abs(width), abs(height))


def _avif(file: BinaryIO) -> Extent:
    """HEIF: each image item has an `ispe` box; those of grids and sequences are found as well."""
    head = file.read(_AVIF_HEAD_BYTES)
    sizes: list[tuple[int, int]] = []
    at = head.find(b"ispe")
    while at >= 0:
        width, height = struct.unpack_from(">II", head, at + 8)
        sizes.append((width, height))
        at = head.find(b"ispe", at + 4)
    return _largest(sizes)


_READERS: dict[str, Callable[[BinaryIO], Extent]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/webp": _webp,
    "image/bmp": _bmp,
    "image/avif": _avif,
}
