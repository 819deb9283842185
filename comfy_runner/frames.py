"""How many frames a moving picture has and how long it takes, by the headers of its file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

MOST_READS = 2_000_000
"""Where counting ends, after a second or two: a hostile file may hold millions of blocks."""

ByteOrder = Literal["big", "little"]
_GIF_EXTENSION, _GIF_IMAGE, _GIF_END = b"\x21", b"\x2c", b"\x3b"
_GIF_CONTROL = b"\xf9"
_GIF_HAS_COLOURS = 0x80


@dataclass(frozen=True)
class Frames:
    """A count of frames, and the seconds that they are shown for in one round."""

    count: int
    seconds: float


def count(file: BinaryIO, content_type: str) -> Frames | None:
    """Return the frames of a PNG or WebP that moves, of a GIF, or the pages of a TIFF, else None.

    No frame is decoded. The formats are those of www.w3.org/TR/png-3 (section 11.3.2, APNG),
    developers.google.com/speed/webp/docs/riff_container, www.w3.org/Graphics/GIF/spec-gif89a and
    TIFF 6.0 (section 2).

    Raises:
        ValueError: The file ends within a block, or has more blocks than anybody would read.
    """
    reader = _READERS.get(content_type)
    if reader is None:
        return None
    delays = tuple(reader(_Reader(file)))
    return Frames(len(delays), round(sum(delays), 6)) if delays else None


class _Reader:
    """Reads a file in pieces, and does not read for ever."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MOST_READS

    def take(self, size: int) -> bytes:
        """Return the next bytes, all of them."""
        self._left -= 1
        if self._left < 0:
            raise ValueError("more blocks than anybody would read")
        content = self._file.read(size)
        if len(content) < size:
            raise ValueError("the file ends within a block")
        return content

    def number(self, size: int, order: ByteOrder = "little") -> int:
        """Return the next bytes as an unsigned number."""
        return int.from_bytes(self.take(size), order)

    def skip(self, size: int) -> None:
        """Go on by so many bytes."""
        self._file.seek(size, os.SEEK_CUR)

    def go(self, offset: int) -> None:
        """Go to a place in the file."""
        self._file.seek(offset)


def _png(file: _Reader) -> Iterator[float]:
    file.skip(8)
    moves = False
    while True:
        length, name = file.number(4, "big"), file.take(4)
        if name == b"IEND" or (name == b"IDAT" and not moves):
            return
        moves = moves or name == b"acTL"
        if name == b"fcTL":
            control = file.take(length)
            units = int.from_bytes(control[22:24], "big") or 100
            yield int.from_bytes(control[20:22], "big") / units
            length = 0
        file.skip(length + 4)


def _webp(file: _Reader) -> Iterator[float]:
    file.skip(4)
    left = file.number(4) - 4
    file.skip(4)
    while left >= 8:
        name, length = file.take(4), file.number(4)
        padded = length + length % 2
        left -= 8 + padded
        if name == b"ANMF":
            yield int.from_bytes(file.take(16)[12:15], "little") / 1000
            padded -= 16
        file.skip(padded)


def _gif(file: _Reader) -> Iterator[float]:
    """Yield the delay of each image: a control block tells that of the image after it."""
    file.skip(10)
    colours = file.number(1)
    file.skip(2)
    _skip_colours(file, colours)
    delay = 0.0
    while (block := file.take(1)) != _GIF_END:
        if block == _GIF_IMAGE:
            file.skip(8)
            _skip_colours(file, file.number(1))
            file.skip(1)
            yield delay
            delay = 0.0
        elif block != _GIF_EXTENSION:
            raise ValueError("no block of a GIF")
        elif file.take(1) == _GIF_CONTROL:
            file.skip(2)
            delay = file.number(2) / 100
            file.skip(1)
        while length := file.number(1):
            file.skip(length)


def _skip_colours(file: _Reader, flags: int) -> None:
    if flags & _GIF_HAS_COLOURS:
        file.skip(3 << ((flags & 7) + 1))


def _tiff(file: _Reader) -> Iterator[float]:
    """Yield no delay for each page; the chain of directories may bite its own tail."""
    order: ByteOrder = "little" if file.take(2) == b"II" else "big"
    if file.number(2, order) != 42:
        raise ValueError("a TIFF of the large kind, which is not read")
    seen = {0}
    while (offset := file.number(4, order)) not in seen:
        seen.add(offset)
        file.go(offset)
        file.skip(12 * file.number(2, order))
        yield 0.0


_READERS = {"image/png": _png, "image/webp": _webp, "image/gif": _gif, "image/tiff": _tiff}
