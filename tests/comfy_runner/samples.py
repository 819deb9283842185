"""A small real file of every format that nodes write, with what is true of it."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
from PIL import Image

from comfy_runner.facts import Facts

WIDTH, HEIGHT, FRAMES, RATE = 32, 16, 4, 8
HERTZ, SOUND_SECONDS = 48_000, 0.5
NOTHING = Facts()
STILL = Facts(WIDTH, HEIGHT, None, 1)
MOVING = Facts(WIDTH, HEIGHT, FRAMES / RATE, FRAMES)
UNCOUNTED = Facts(WIDTH, HEIGHT, FRAMES / RATE)
SOUND = Facts(duration_seconds=SOUND_SECONDS)
OPUS = Facts(duration_seconds=SOUND_SECONDS + 312 / HERTZ)
"""Opus begins with a few samples that are not played (RFC 7845, section 4.2)."""


@dataclass(frozen=True)
class Sample:
    """A file of one format, and how it has to be described."""

    format: str
    suffix: str
    content: bytes
    kind: str
    content_type: str
    facts: Facts = NOTHING


def picture(name: str, frames: int = 1) -> bytes:
    """Return a picture as Pillow writes it; frames are shown an eighth of a second each."""
    images = [Image.new("RGB", (WIDTH, HEIGHT), (40 * each, 0, 0)) for each in range(frames)]
    buffer = io.BytesIO()
    options: dict[str, Any] = {}
    if frames > 1:
        options |= {"save_all": True, "append_images": images[1:]}
        options |= {} if name == "TIFF" else {"duration": 1000 // RATE}
    images[0].save(buffer, name, **options)
    return buffer.getvalue()


def film(container: str, codec: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=RATE)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(FRAMES):
            frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([40 * index]) * plane.buffer_size)
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return buffer.getvalue()


def sound(container: str, codec: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=HERTZ, layout="mono")
        assert isinstance(stream, av.AudioStream)
        size = stream.codec_context.frame_size or 1024
        for start in range(0, int(HERTZ * SOUND_SECONDS), size):
            count = min(size, int(HERTZ * SOUND_SECONDS) - start)
            frame = av.AudioFrame(format=stream.format.name, layout="mono", samples=count)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts, frame.time_base = HERTZ, start, Fraction(1, HERTZ)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return buffer.getvalue()


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return buffer.getvalue()


def safetensors(tensor: str, **metadata: str) -> bytes:
    """Return a safetensors file with one number (github.com/huggingface/safetensors)."""
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = json.dumps({"__metadata__": metadata, tensor: entry}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


def glb() -> bytes:
    """Return a binary glTF with an empty scene (registry.khronos.org/glTF, section 4)."""
    text = b'{"asset":{"version":"2.0"}} '
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text


SVG = b'<?xml version="1.0"?>\n<!-- a > b -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'
HTML = b"<!DOCTYPE html>\n<html><body><svg/></body></html>"
OBJ = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
PLY = b"ply\nformat ascii 1.0\nelement vertex 0\nend_header\n"
BINARY = "application/octet-stream"


@cache
def samples() -> tuple[Sample, ...]:
    """Return one sample of every format."""
    return (*_pictures(), *_films(), *_sounds(), *_models(), *_others())


def _pictures() -> list[Sample]:
    def image(name: str, suffix: str, content: bytes, kind: str, facts: Facts = STILL) -> Sample:
        return Sample(name, suffix, content, "image", f"image/{kind}", facts)

    pages = Facts(WIDTH, HEIGHT, None, FRAMES)
    return [
        image("PNG", ".png", picture("PNG"), "png"),
        image("animated PNG", ".png", picture("PNG", FRAMES), "png", MOVING),
        image("JPEG", ".jpg", picture("JPEG"), "jpeg"),
        image("WebP", ".webp", picture("WEBP"), "webp"),
        image("animated WebP", ".webp", picture("WEBP", FRAMES), "webp", MOVING),
        image("GIF", ".gif", picture("GIF"), "gif"),
        image("animated GIF", ".gif", picture("GIF", FRAMES), "gif", GIF_MOVING),
        image("AVIF", ".avif", picture("AVIF"), "avif"),
        image("animated AVIF", ".avif", picture("AVIF", FRAMES), "avif", pages),
        image("BMP", ".bmp", picture("BMP"), "bmp"),
        image("TIFF", ".tiff", picture("TIFF"), "tiff"),
        image("TIFF of several pages", ".tif", picture("TIFF", FRAMES), "tiff", pages),
        image("JPEG XL", ".jxl", b"\xff\x0a\0\0", "jxl", NOTHING),
        image("OpenEXR", ".exr", b"\x76\x2f\x31\x01\x02\0\0\0", "x-exr", NOTHING),
        image("Radiance", ".hdr", b"#?RADIANCE\n\n-Y 1 +X 1\n", "vnd.radiance", NOTHING),
        image("SVG", ".svg", SVG, "svg+xml", NOTHING),
    ]


GIF_MOVING = Facts(WIDTH, HEIGHT, FRAMES * 0.12, FRAMES)
"""A GIF counts in hundredths of a second."""


def _films() -> list[Sample]:
    return [
        Sample("MP4", ".mp4", film("mp4", "libx264"), "video", "video/mp4", MOVING),
        Sample("QuickTime", ".mov", film("mov", "mpeg4"), "video", "video/quicktime", MOVING),
        Sample("WebM", ".webm", film("webm", "libvpx-vp9"), "video", "video/webm", UNCOUNTED),
        Sample("Matroska", ".mkv", film("matroska", "ffv1"), "video", MKV, UNCOUNTED),
        Sample("AVI", ".avi", film("avi", "mpeg4"), "video", "video/x-msvideo", MOVING),
    ]


MKV = "video/x-matroska"


def _sounds() -> list[Sample]:
    return [
        Sample("FLAC", ".flac", sound("flac", "flac"), "audio", "audio/flac", SOUND),
        Sample("MP3", ".mp3", sound("mp3", "libmp3lame"), "audio", "audio/mpeg", SOUND),
        Sample("Opus", ".opus", sound("ogg", "libopus"), "audio", "audio/ogg", OPUS),
        Sample("WAV", ".wav", sound("wav", "pcm_s16le"), "audio", "audio/wav", SOUND),
        Sample("AAC", ".m4a", sound("ipod", "aac"), "audio", "audio/mp4", SOUND),
    ]


def _models() -> list[Sample]:
    def model(name: str, suffix: str, content: bytes, kind: str = BINARY) -> Sample:
        return Sample(name, suffix, content, "model", kind)

    return [
        model("binary glTF", ".glb", glb(), "model/gltf-binary"),
        model("glTF", ".gltf", b'{"asset":{"version":"2.0"}}', "model/gltf+json"),
        model("Wavefront OBJ", ".obj", OBJ, "model/obj"),
        model("STL", ".stl", bytes(80) + struct.pack("<I", 0), "model/stl"),
        model("PLY", ".ply", PLY),
        model("FBX", ".fbx", b"Kaydara FBX Binary  \0\x1a\0" + bytes(8)),
        model("USDZ", ".usdz", zipped("scene.usdc"), "model/vnd.usdz+zip"),
        model("Gaussian splats", ".splat", bytes(64)),
        model("packed splats", ".spz", gzip.compress(b"NGSP" + bytes(12))),
        model("COLLADA", ".dae", b"<?xml version='1.0'?><COLLADA/>", "model/vnd.collada+xml"),
    ]


def _others() -> list[Sample]:
    def file(name: str, suffix: str, content: bytes, kind: str = BINARY) -> Sample:
        return Sample(name, suffix, content, "file", kind)

    return [
        Sample("latent", ".latent", safetensors("latent_tensor"), "latent", BINARY),
        file("safetensors weights", ".safetensors", safetensors("weight")),
        file("plain text", ".txt", "olá\n".encode(), "text/plain"),
        file("JSON", ".json", b'{"a": 1}', "application/json"),
        file("CSV", ".csv", b"a,b\n1,2\n", "text/csv"),
        file("subtitles", ".srt", b"1\n00:00 --> 00:01\nx\n", "application/x-subrip"),
        file("HTML", ".html", HTML, "text/html"),
        file("ZIP", ".zip", zipped("a.txt"), "application/zip"),
        file("NumPy archive", ".npz", zipped("a.npy")),
        file("PyTorch file", ".pt", zipped("archive/data.pkl")),
        file("PDF", ".pdf", b"%PDF-1.7\n", "application/pdf"),
    ]
