"""What a file is said to be, where its bytes and its name disagree or say little."""

from __future__ import annotations

import codecs
import struct
import time
from pathlib import Path

import pytest

from comfy_runner.content_types import KINDS, describe
from tests.comfy_runner.samples import (
    HTML,
    SVG,
    Sample,
    film,
    glb,
    picture,
    safetensors,
    samples,
    zipped,
)

UNKNOWN = ("file", "application/octet-stream")
TEXT = ("file", "text/plain")
PAGE = ("file", "text/html")
DRAWING = ("image", "image/svg+xml")
LATENT = ("latent", "application/octet-stream")
MODEL = ("model", "application/octet-stream")
FTYP = b"\0\0\0\x20ftyp"


def described(directory: Path, name: str, content: bytes) -> tuple[str, str]:
    path = directory / name
    path.write_bytes(content)
    return describe(path)


@pytest.mark.parametrize("sample", samples(), ids=lambda each: each.format)
def test_a_file_of_every_format_is_known(sample: Sample, tmp_path: Path) -> None:
    told = described(tmp_path, f"a{sample.suffix}", sample.content)
    assert told == (sample.kind, sample.content_type)
    assert sample.kind in KINDS
    assert described(tmp_path, f"A{sample.suffix.upper()}", sample.content) == told


WITHOUT_A_MARK = {".gltf", ".obj", ".stl", ".splat", ".json", ".csv", ".srt", ".txt"}
INSIDE_ANOTHER = {".usdz", ".spz"}


@pytest.mark.parametrize(
    "sample",
    [each for each in samples() if each.suffix not in WITHOUT_A_MARK | INSIDE_ANOTHER],
    ids=lambda each: each.format,
)
@pytest.mark.parametrize("name", ["a.png", "a.mp4", "a.txt", "a", "a.svg"])
def test_a_wrong_name_does_not_hide_what_a_file_is(
    sample: Sample, name: str, tmp_path: Path
) -> None:
    told = described(tmp_path, name, sample.content)
    expected = (sample.kind, sample.content_type)
    if sample.suffix in {".npz", ".pt"}:
        expected = ("file", "application/zip")
    assert told == expected


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.png", HTML, PAGE),
        ("a.png", b"<html>", PAGE),
        ("a.jpg", b"\n <!-- x --><BODY onload=x>", PAGE),
        ("a.webp", codecs.BOM_UTF8 + b"<!doctype  HTML><svg/>", PAGE),
        ("a.txt", b"<script>alert(1)</script>", PAGE),
        ("a.svg", b"<html><svg/></html>", PAGE),
        ("a.png", SVG, DRAWING),
        ("a.xml", b"<?xml version='1.0'?><?x y?><svg:svg/>", DRAWING),
        ("a.svg", b"<!DOCTYPE svg PUBLIC 'x' 'y' [<!ENTITY a 'b'>]>\n<svg/>", DRAWING),
        ("a.svg", b"<!--" + b"x" * 5000 + b"--><svg/>", DRAWING),
        ("a.svg", codecs.BOM_UTF8 + b"<!--" + b"x" * 5000 + b"--><svg/>", DRAWING),
        ("a.svg", b"no drawing", TEXT),
        ("a.svg", b"\0\1\2", UNKNOWN),
        ("a.png", b"no picture", TEXT),
        ("a.png", b"no picture \xff", UNKNOWN),
        ("a.png", b"\0\1\2", UNKNOWN),
        ("a.png", b"", UNKNOWN),
        ("a.exr", b"text", TEXT),
        ("a.usdz", b"\0\1\2", UNKNOWN),
        ("a.txt", b"\0\1\2", UNKNOWN),
        ("a.json", b"\0\1\2", UNKNOWN),
        ("a.txt", "olá".encode("utf-16"), TEXT),
        ("a.txt", "olá".encode("latin-1"), TEXT),
        ("notes", "olá".encode(), TEXT),
        ("notes", ("x" * 4095 + "á").encode(), TEXT),
        ("notes", b"\xff\x01", UNKNOWN),
        ("a.vtt", b"WEBVTT", ("file", "text/vtt")),
        ("a.yaml", b"a: 1", ("file", "application/yaml")),
        ("a.md", b"# a", ("file", "text/markdown")),
        ("a.mtl", b"newmtl a", ("model", "model/mtl")),
        ("a.docx", zipped("word/document.xml"), None),
        ("a.usdz", zipped("scene.usdc"), ("model", "model/vnd.usdz+zip")),
        ("a.3mf", zipped("3D/3dmodel.model"), ("model", "model/3mf")),
        ("a.glb", zipped("x"), ("file", "application/zip")),
        ("a.zip", glb(), ("model", "model/gltf-binary")),
        ("a.mov", b"\0\0\0\x08wide\0\0\0\0mdat", ("video", "video/quicktime")),
        ("a.mp4", b"\0\1\2", UNKNOWN),
        ("a.mp3", b"\0\0\0\0", ("audio", "audio/mpeg")),
        ("a.tif", b"II+\0\x08\0\0\0", ("image", "image/tiff")),
        ("a.tif", b"MM\0*\0\0\0\x08", ("image", "image/tiff")),
        ("a.avif", FTYP + b"mif1\0\0\0\0miafavif", ("image", "image/avif")),
        ("a.heic", FTYP + b"mif1\0\0\0\0miafheic", ("image", "image/heic")),
        ("a.heic", FTYP + b"heic\0\0\0\0mif1heic", ("image", "image/heic")),
        ("a.3gp", FTYP + b"3gp4", ("video", "video/3gpp")),
        ("a.jxl", b"\0\0\0\x0cJXL \r\n\x87\n", ("image", "image/jxl")),
        ("a.jp2", b"\0\0\0\x0cjP  \r\n\x87\n", ("image", "image/jp2")),
        ("a.hdr", b"#?RGBE\r\n", ("image", "image/vnd.radiance")),
        ("a.psd", b"8BPS\0\1", ("image", "image/vnd.adobe.photoshop")),
        ("a.dds", b"DDS \x7c\0\0\0", ("image", "image/vnd.ms-dds")),
        ("a.ico", b"\0\0\1\0\1\0", ("image", "image/vnd.microsoft.icon")),
        ("a.flv", b"FLV\1", ("video", "video/x-flv")),
        ("a.mpg", b"\0\0\1\xba", ("video", "video/mpeg")),
        ("a.ts", (b"G" + bytes(187)) * 3, ("video", "video/mp2t")),
        ("a.aiff", b"FORM1234AIFF", ("audio", "audio/aiff")),
        ("a.wav", b"RF641234WAVE", ("audio", "audio/wav")),
        ("a.aac", b"\xff\xf1\x50", ("audio", "audio/aac")),
        ("a.mid", b"MThd\0\0\0\6", ("audio", "audio/midi")),
        ("a.usda", b"#usda 1.0", ("model", "model/vnd.usda")),
        ("a.usdc", b"PXR-USDC", MODEL),
        ("a.bin", b"ply\r\ncomment x", MODEL),
        ("a.ksplat", b"\0\1", MODEL),
        ("a.7z", b"7z\xbc\xaf\x27\x1c", ("file", "application/x-7z-compressed")),
        ("a.tar", bytes(257) + b"ustar", ("file", "application/x-tar")),
        ("a.gz", b"\x1f\x8b\x08", ("file", "application/gzip")),
        ("a.png", b"\x93NUMPY", UNKNOWN),
        ("a.png", b"GGUF", UNKNOWN),
    ],
)
def test_bytes_are_believed_before_names(
    name: str, content: bytes, expected: tuple[str, str] | None, tmp_path: Path
) -> None:
    document = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    told = described(tmp_path, name, content)
    # Whether Python knows the type of a document depends on its version.
    assert told == expected or (expected is None and told[1] in (document, UNKNOWN[1]))


def test_a_latent_is_told_from_weights_by_its_tensor(tmp_path: Path) -> None:
    quoted = safetensors("weight", prompt='{"latent_tensor": 1}')
    assert described(tmp_path, "a.png", safetensors("latent_tensor")) == LATENT
    assert described(tmp_path, "a.png", safetensors("latent_tensor", x="y" * 9000)) == LATENT
    assert described(tmp_path, "a.safetensors", quoted) == UNKNOWN
    assert described(tmp_path, "a.safetensors", safetensors("latent_tensor")) == LATENT


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 1 << 62) + b'{"latent_tensor":1}',
        struct.pack("<Q", 19) + b'{"latent_tensor":1',
        struct.pack("<Q", 18) + b'{"latent_tensor":1',
        struct.pack("<Q", 17) + b'["latent_tensor"]',
        struct.pack("<Q", 100_000) + b'{"a":' + b"[" * 99_995,
        struct.pack("<Q", 2) + b"{\xff",
    ],
)
def test_a_header_that_is_none_makes_no_latent(content: bytes, tmp_path: Path) -> None:
    assert described(tmp_path, "a.bin", content) == UNKNOWN


def test_hostile_markup_costs_no_time(tmp_path: Path) -> None:
    start = time.process_time()
    for piece in (b"<?x?>", b"<!---->", b"<!DOCTYPE x []>", b" ", b"<!-- ", b"<!DOCTYPE x ["):
        described(tmp_path, "a.svg", piece * 4096)
    assert time.process_time() - start < 2


def test_a_film_without_pictures_of_its_own_name_is_still_one(tmp_path: Path) -> None:
    assert described(tmp_path, "a.gif", film("mp4", "libx264")) == ("video", "video/mp4")
    assert described(tmp_path, "a.mp4", picture("GIF", 4)) == ("image", "image/gif")
