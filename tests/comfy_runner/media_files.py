"""Small files of every kind that a job may bring, made byte by byte, and some of other kinds."""

from __future__ import annotations

import struct
import zlib


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 2, height: int = 2, *before: bytes) -> bytes:
    """Return a PNG; its pixels are there only where they are few."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = zlib.compress(b"".join(b"\0" + bytes(3 * width) for _ in range(min(height, 64))))
    tail = chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + tail


def animated_png(width: int, height: int, frames: int) -> bytes:
    return png(width, height, chunk(b"acTL", struct.pack(">II", frames, 0)))


def jpeg(width: int = 2, height: int = 2, *before: bytes) -> bytes:
    size = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    frame = b"\xff\xc0" + struct.pack(">H", len(size) + 2) + size
    return b"\xff\xd8" + b"".join(before) + frame + b"\xff\xda\x00\x02" + b"\0" * 8 + b"\xff\xd9"


def gif(width: int = 2, height: int = 2, *, frames: int = 1, left: int = 0) -> bytes:
    """Return a GIF; its frames begin so many pixels from the left."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    wait = b"!\xf9\x04" + bytes(4) + b"\0"
    size = struct.pack("<HHHHB", left, 0, width, height, 0)
    frame = wait + b"," + size + b"\x02\x02L\x01\0"
    return screen + frame * frames + b";"


def webp(width: int = 2, height: int = 2, *, frames: int = 0) -> bytes:
    def three(number: int) -> bytes:
        return struct.pack("<I", number)[:3]

    def part(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    size = three(width - 1) + three(height - 1)
    body = part(b"VP8X", b"\x02\0\0\0" + size)
    body += part(b"ANMF", bytes(6) + size + bytes(4)) * frames
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def lossy_webp(width: int, height: int) -> bytes:
    data = b"\x10\x02\0\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8 " + struct.pack("<I", 10) + data


def lossless_webp(width: int, height: int) -> bytes:
    data = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + b"\0"
    return b"RIFF" + struct.pack("<I", 18) + b"WEBPVP8L" + struct.pack("<I", 6) + data


def bmp(width: int = 2, height: int = 2) -> bytes:
    head = b"BM" + struct.pack("<IHHI", 54, 0, 0, 54)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def old_bmp(width: int, height: int) -> bytes:
    return (
        b"BM" + struct.pack("<IHHI", 26, 0, 0, 26) + struct.pack("<IHHHH", 12, width, height, 1, 1)
    )


def avif(*sizes: tuple[int, int]) -> bytes:
    brand = struct.pack(">I4s4sI4s", 20, b"ftyp", b"avif", 0, b"mif1")
    boxes = (struct.pack(">I4sIII", 20, b"ispe", 0, *each) for each in sizes or ((2, 2),))
    return brand + b"".join(boxes)


def mp4(brand: bytes) -> bytes:
    return struct.pack(">I4s4sI", 16, b"ftyp", brand, 0) + b"\0\0\0\x08mdat"


SAMPLES: dict[str, tuple[bytes, str]] = {
    ".png": (png(), "image/png"),
    ".jpg": (jpeg(), "image/jpeg"),
    ".gif": (gif(), "image/gif"),
    ".webp": (webp(), "image/webp"),
    ".bmp": (bmp(), "image/bmp"),
    ".avif": (avif(), "image/avif"),
    ".mp4": (mp4(b"isom"), "video/mp4"),
    ".mov": (mp4(b"qt  "), "video/quicktime"),
    ".m4a": (mp4(b"M4A "), "audio/mp4"),
    ".webm": (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
    ".mkv": (b"\x1aE\xdf\xa3\xa3B\x86\x81\x01B\x82\x88matroska", "video/x-matroska"),
    ".wav": (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
    ".mp3": (b"ID3\x04\0\0\0\0\0\0", "audio/mpeg"),
    ".flac": (b"fLaC\0\0\0\x22", "audio/flac"),
    ".ogg": (b"OggS\0\x02" + bytes(20), "audio/ogg"),
    ".glb": (b"glTF\x02\0\0\0\x0c\0\0\0", "model/gltf-binary"),
}
"""One file of every kind by its usual extension, with its content type."""

REFUSED: dict[str, bytes] = {
    "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "bare svg": b"<svg onload='alert(1)'/>",
    "html": b"<!DOCTYPE html><script>alert(1)</script>",
    "text": b"hello",
    "json": b"{}",
    "pdf": b"%PDF-1.7",
    "zip": b"PK\x03\x04",
    "pickle": b"\x80\x04\x95",
    "elf": b"\x7fELF",
    "tiff": b"II*\0",
    "heic": mp4(b"heic"),
    "avi": b"RIFF\0\0\0\0AVI ",
    "shell": b"#!/bin/sh",
    "one byte": b"\x89",
}
