"""What kind of file a file is: by what it holds, and only then by what it is called."""

from __future__ import annotations

import codecs
import functools
import json
import mimetypes
import os
import re
from pathlib import Path
from typing import BinaryIO

KINDS = ("image", "video", "audio", "model", "latent", "text", "file")
"""`model` is a 3D model; weights, documents and archives are `file`."""

Description = tuple[str, str]
"""A kind and a content type."""

_BINARY = "application/octet-stream"
_UNKNOWN = ("file", _BINARY)
_PLAIN = ("file", "text/plain")

_MAGIC = (
    (rb"\x89PNG\r\n\x1a\n", "image", "image/png"),
    (rb"\xff\xd8\xff", "image", "image/jpeg"),
    (rb"GIF8[79]a", "image", "image/gif"),
    (rb"RIFF.{4}WEBP", "image", "image/webp"),
    (rb".{4}ftyp(?:avi[fs]|(?:mif1|msf1).{4}(?:.{4}){0,8}?avi[fs])", "image", "image/avif"),
    (rb".{4}ftyp(?:hei[cxms]|hev[cx]|mif1|msf1)", "image", "image/heic"),
    (rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n", "image", "image/jxl"),
    (rb"\0\0\0\x0cjP  \r\n\x87\n", "image", "image/jp2"),
    (rb"\x76\x2f\x31\x01", "image", "image/x-exr"),
    (rb"#\?(?:RADIANCE|RGBE)\r?\n", "image", "image/vnd.radiance"),
    (rb"II[*+]\0|MM\0[*+]", "image", "image/tiff"),
    (rb"BM.{4}\0{4}", "image", "image/bmp"),
    (rb"8BPS\0[\x01\x02]", "image", "image/vnd.adobe.photoshop"),
    (rb"DDS \x7c\0\0\0", "image", "image/vnd.ms-dds"),
    (rb"\0\0\x01\0[^\0]\0", "image", "image/vnd.microsoft.icon"),
    (rb".{4}ftypM4[AB] ", "audio", "audio/mp4"),
    (rb".{4}ftypqt  ", "video", "video/quicktime"),
    (rb".{4}ftyp3g", "video", "video/3gpp"),
    (rb".{4}ftyp", "video", "video/mp4"),
    (rb".{4}(?:moov|mdat|wide|free|skip|pnot)", "video", "video/quicktime"),
    (rb"\x1aE\xdf\xa3.{0,64}?webm", "video", "video/webm"),
    (rb"\x1aE\xdf\xa3", "video", "video/x-matroska"),
    (rb"RIFF.{4}AVI ", "video", "video/x-msvideo"),
    (rb"FLV\x01", "video", "video/x-flv"),
    (rb"\0\0\x01\xba", "video", "video/mpeg"),
    (rb"G.{187}G.{187}G", "video", "video/mp2t"),
    (rb"(?:RIFF|RF64).{4}WAVE", "audio", "audio/wav"),
    (rb"FORM.{4}AIF[FC]", "audio", "audio/aiff"),
    (rb"fLaC", "audio", "audio/flac"),
    (rb"ID3[\x02-\x04]|\xff[\xfa\xfb\xf2\xf3]", "audio", "audio/mpeg"),
    (rb"\xff[\xf0\xf1\xf8\xf9]", "audio", "audio/aac"),
    (rb"OggS.{0,80}?\x80theora", "video", "video/ogg"),
    (rb"OggS", "audio", "audio/ogg"),
    (rb"MThd\0\0\0\x06", "audio", "audio/midi"),
    (rb"glTF[\x01\x02]\0\0\0", "model", "model/gltf-binary"),
    (rb"ply\r?\n(?:format|comment|obj_info) ", "model", _BINARY),
    (rb"Kaydara FBX Binary", "model", _BINARY),
    (rb"#usda \d", "model", "model/vnd.usda"),
    (rb"PXR-USDC", "model", _BINARY),
    (rb"PK(?:\x03\x04|\x05\x06)", "file", "application/zip"),
    (rb"\x1f\x8b\x08", "file", "application/gzip"),
    (rb"7z\xbc\xaf\x27\x1c", "file", "application/x-7z-compressed"),
    (rb".{257}ustar", "file", "application/x-tar"),
    (rb"%PDF-\d", "file", "application/pdf"),
    (rb"\x93NUMPY|GGUF", "file", _BINARY),
)
"""How the files that nodes write begin; the first match wins (IANA's types where it has one)."""

_EXTENSIONS: dict[str, Description] = {
    ".latent": ("latent", _BINARY),
    ".glb": ("model", "model/gltf-binary"),
    ".gltf": ("model", "model/gltf+json"),
    ".obj": ("model", "model/obj"),
    ".mtl": ("model", "model/mtl"),
    ".stl": ("model", "model/stl"),
    ".ply": ("model", _BINARY),
    ".fbx": ("model", _BINARY),
    ".splat": ("model", _BINARY),
    ".ksplat": ("model", _BINARY),
    ".spz": ("model", _BINARY),
    ".usdz": ("model", "model/vnd.usdz+zip"),
    ".3mf": ("model", "model/3mf"),
    ".dae": ("model", "model/vnd.collada+xml"),
    ".mkv": ("video", "video/x-matroska"),
    ".flac": ("audio", "audio/flac"),
    ".opus": ("audio", "audio/ogg"),
    ".webp": ("image", "image/webp"),
    ".avif": ("image", "image/avif"),
    ".jxl": ("image", "image/jxl"),
    ".exr": ("image", "image/x-exr"),
    ".hdr": ("image", "image/vnd.radiance"),
    ".srt": ("file", "application/x-subrip"),
    ".vtt": ("file", "text/vtt"),
    ".md": ("file", "text/markdown"),
    ".log": _PLAIN,
    ".yaml": ("file", "application/yaml"),
    ".yml": ("file", "application/yaml"),
    **dict.fromkeys((".npz", ".npy", ".pt", ".pth", ".ckpt", ".safetensors"), _UNKNOWN),
}
"""Formats without a magic number, and types that Python's own table does not know."""

_INSIDE = {
    "application/zip": frozenset(
        {".usdz", ".3mf", ".npz", ".pt", ".pth", ".ckpt", ".docx", ".xlsx", ".pptx", ".epub"}
    ),
    "application/gzip": frozenset({".spz"}),
}
"""Formats that lie inside another, which only their extension tells apart."""

_SOMETIMES_UNMARKED = {_BINARY, "audio/mpeg", "audio/aac"}
_MARKED = (
    {content_type for _, _, content_type in _MAGIC} | {"model/vnd.usdz+zip", "model/3mf"}
) - _SOMETIMES_UNMARKED
"""Types whose files always show it: an extension alone proves nothing."""

_ROOT = re.compile(
    rb"(?>\s+|<\?(?>.*?\?>)|<!--(?>.*?-->)|<!DOCTYPE(?!\s+html)(?>[^>\[]*)(?>\[.*?\]\s*)?>)*+"
    rb"<(!DOCTYPE\s+html|[a-z][\w.:-]*)",
    re.DOTALL | re.IGNORECASE,
)
"""What a text in markup begins with; atomic groups keep hostile input from costing time."""

_MARKUP: dict[str, Description] = {
    "svg": ("image", "image/svg+xml"),
    "svg:svg": ("image", "image/svg+xml"),
    "collada": ("model", "model/vnd.collada+xml"),
    **dict.fromkeys(("!doctype html", "html", "head", "body", "script"), ("file", "text/html")),
}
_TEXTUAL = ("text/", "application/json", "application/xml", "application/yaml", "image/svg+xml")
_BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HEAD_BYTES = 4096
_SAFETENSORS_HEADER_BYTES = 16 << 20


def describe(path: Path) -> Description:
    """Return the kind and content type of a file, by what it holds, else by its extension.

    ComfyUI's key says nothing (it files videos under "images"), and a name may lie. A name whose
    format would show in the bytes, and does not, is not believed.

    Raises:
        OSError: it cannot be read.
    """
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        tensors = _by_tensors(file, head, suffix)
    return tensors or _by_magic(head, suffix) or _by_markup(head) or _by_name(suffix, head)


def _by_magic(head: bytes, suffix: str) -> Description | None:
    for pattern, kind, content_type in _MAGIC:
        if re.match(pattern, head, re.DOTALL):
            if suffix in _INSIDE.get(content_type, ()):
                return _named(suffix) or _UNKNOWN
            return kind, content_type
    return None


def _by_tensors(file: BinaryIO, head: bytes, suffix: str) -> Description | None:
    """Tell latents, as SaveLatent writes them, from weights: both are safetensors files.

    The first eight bytes of these are the length of the JSON header that follows
    (github.com/huggingface/safetensors, "Format").
    """
    length = int.from_bytes(head[:8], "little")
    held = os.fstat(file.fileno()).st_size - 8
    if head[8:9] != b"{" or length > min(held, _SAFETENSORS_HEADER_BYTES):
        return None
    file.seek(8)
    try:
        names = json.loads(file.read(length))
    except (ValueError, RecursionError):
        return None
    return ("latent", _BINARY) if "latent_tensor" in names or suffix == ".latent" else _UNKNOWN


def _by_markup(head: bytes) -> Description | None:
    found = _ROOT.match(head.removeprefix(codecs.BOM_UTF8))
    if found is None:
        return None
    root = b" ".join(found.group(1).lower().split()).decode()
    return _MARKUP.get(root)


def _by_name(suffix: str, head: bytes) -> Description:
    """Believe the extension where the bytes do not speak against it."""
    named = _named(suffix)
    plain = _PLAIN if _is_utf8(head) else _UNKNOWN
    if named is None or named[1] in _MARKED:
        return plain
    binary = b"\0" in head and not head.startswith(_BYTE_ORDER_MARKS)
    if named[1].startswith(_TEXTUAL) and binary:
        return _UNKNOWN
    if named[1] == "image/svg+xml" and not head.lstrip().startswith((b"<", codecs.BOM_UTF8)):
        return plain
    return named


def _is_utf8(head: bytes) -> bool:
    """Whether this is text; its last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and "\0" not in text


def _named(suffix: str) -> Description | None:
    if suffix in _EXTENSIONS:
        return _EXTENSIONS[suffix]
    guessed = _builtin_types().guess_type(f"file{suffix}")[0]
    if guessed is None:
        return None
    family = guessed.partition("/")[0]
    return (family if family in KINDS and family != "text" else "file"), guessed


@functools.cache
def _builtin_types() -> mimetypes.MimeTypes:
    """Return Python's own table, which is the same on every machine."""
    return mimetypes.MimeTypes()
