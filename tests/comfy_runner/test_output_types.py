"""What kind of file an output is, by what it holds."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from comfy_runner.outputs import KINDS, describe


def picture(kind: str, frames: int = 1) -> bytes:
    images = [Image.new("RGB", (4, 4), (index, 0, 0)) for index in range(frames)]
    buffer = io.BytesIO()
    images[0].save(buffer, kind, save_all=frames > 1, append_images=images[1:])
    return buffer.getvalue()


EBML = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84"
OGG = b"OggS\0\x02" + b"\0" * 22
SAFETENSORS = struct.pack("<Q", 2) + b"{}"


@pytest.mark.parametrize(
    ("name", "content", "kind", "content_type"),
    [
        ("a.png", picture("PNG"), "image", "image/png"),
        ("apng.png", picture("PNG", 3), "image", "image/png"),
        ("a.jpg", picture("JPEG"), "image", "image/jpeg"),
        ("a.webp", picture("WEBP"), "image", "image/webp"),
        ("moving.webp", picture("WEBP", 3), "image", "image/webp"),
        ("moving.gif", picture("GIF", 3), "image", "image/gif"),
        ("a.bmp", picture("BMP"), "image", "image/bmp"),
        ("a.tiff", picture("TIFF"), "image", "image/tiff"),
        ("a.avif", b"\0\0\0 ftypavif", "image", "image/avif"),
        ("a.exr", b"\x76\x2f\x31\x01\x02", "image", "image/x-exr"),
        ("a.svg", b"<svg xmlns='x'/>", "image", "image/svg+xml"),
        (
            "a.svg",
            b'\xef\xbb\xbf\n<?xml version="1.0"?><!-- x --><svg/>',
            "image",
            "image/svg+xml",
        ),
        ("vid_00001_.mp4", b"\0\0\0 ftypisom", "video", "video/mp4"),
        ("a.mov", b"\0\0\0\x14ftypqt  ", "video", "video/quicktime"),
        ("a.webm", EBML + b"webm", "video", "video/webm"),
        ("a.mkv", EBML + b"matroska", "video", "video/x-matroska"),
        ("a.avi", b"RIFF1234AVI LIST", "video", "video/x-msvideo"),
        ("a.ogv", OGG + b"\x80theora", "video", "video/ogg"),
        ("a.flac", b"fLaC\0", "audio", "audio/flac"),
        ("a.mp3", b"ID3\x04", "audio", "audio/mpeg"),
        ("a.mp3", b"\xff\xfb\x90\x64", "audio", "audio/mpeg"),
        ("a.opus", OGG + b"OpusHead", "audio", "audio/ogg"),
        ("a.ogg", OGG + b"\x01vorbis", "audio", "audio/ogg"),
        ("a.wav", b"RIFF1234WAVEfmt ", "audio", "audio/wav"),
        ("a.m4a", b"\0\0\0 ftypM4A ", "audio", "audio/mp4"),
        ("a.glb", b"glTF\x02\0\0\0", "model", "model/gltf-binary"),
        ("a.gltf", b'{"asset": {}}', "model", "model/gltf+json"),
        ("a.obj", b"v 0 0 0\n", "model", "model/obj"),
        ("a.STL", b"solid x\nfacet", "model", "model/stl"),
        ("x_00001_.latent", SAFETENSORS, "latent", "application/octet-stream"),
        ("a.safetensors", SAFETENSORS, "file", "application/octet-stream"),
        ("a.json", b"{}", "file", "application/json"),
        ("a.txt", b"hello", "file", "text/plain"),
        ("a.html", b"<!DOCTYPE html><html><svg/>", "file", "text/html"),
        ("a.zip", b"PK\x03\x04", "file", "application/zip"),
        ("nothing", b"", "file", "application/octet-stream"),
        ("unknown.zzz", b"\0\1\2", "file", "application/octet-stream"),
        ("lies.png", b"\0\0\0 ftypisom", "video", "video/mp4"),
        ("lies.mp4", picture("PNG"), "image", "image/png"),
    ],
)
def test_a_file_is_what_it_holds_and_only_then_what_it_is_called(
    name: str, content: bytes, kind: str, content_type: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert describe(path) == (kind, content_type)
    assert kind in KINDS
