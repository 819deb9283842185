"""What an input file is, judged by its bytes alone, and which kinds a job may bring."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD_BYTES = 4096
"""How much of a file `kind_of` wants to see."""


@dataclass(frozen=True)
class Kind:
    """A format that is taken; the first of `extensions` is the usual one."""

    pattern: re.Pattern[bytes]
    content_type: str
    extensions: tuple[str, ...]
    also: frozenset[str] = frozenset()

    def is_called(self, content_type: str) -> bool:
        """Tell whether `content_type`, in lower case, may be said of such a file."""
        return content_type == self.content_type or content_type in self.also

    @property
    def is_image(self) -> bool:
        """Tell whether it is decoded into pixels all at once."""
        return self.content_type.startswith("image/")


def _kind(pattern: bytes, content_type: str, extensions: str, also: str = "") -> Kind:
    compiled = re.compile(pattern, re.DOTALL)
    return Kind(compiled, content_type, tuple(extensions.split()), frozenset(also.split()))


_MP4 = "video/mp4 audio/mp4 video/x-m4v audio/x-m4a audio/m4a video/quicktime"

KINDS = (
    _kind(rb"\x89PNG\r\n\x1a\n", "image/png", ".png .apng", "image/apng"),
    _kind(rb"\xff\xd8\xff", "image/jpeg", ".jpg .jpeg .jpe", "image/jpg image/pjpeg"),
    _kind(rb"GIF8[79]a", "image/gif", ".gif"),
    _kind(rb"RIFF.{4}WEBP", "image/webp", ".webp"),
    _kind(rb"BM.{4}\0{4}", "image/bmp", ".bmp", "image/x-ms-bmp image/x-bmp"),
    _kind(rb".{4}ftypavi[fs]", "image/avif", ".avif"),
    _kind(rb".{4}ftypM4[AB] ", "audio/mp4", ".m4a .m4b .mp4", _MP4),
    _kind(rb".{4}ftypqt  ", "video/quicktime", ".mov .qt", _MP4),
    _kind(rb".{4}ftyp(?!hei|hev|mif1|msf1|jp2|jpx)", "video/mp4", ".mp4 .m4v .m4a .mov", _MP4),
    _kind(rb"\x1aE\xdf\xa3.{0,64}webm", "video/webm", ".webm", "audio/webm"),
    _kind(
        rb"\x1aE\xdf\xa3.{0,64}matroska",
        "video/x-matroska",
        ".mkv .mka",
        "video/matroska audio/matroska audio/x-matroska",
    ),
    _kind(rb"RIFF.{4}WAVE", "audio/wav", ".wav", "audio/x-wav audio/wave audio/vnd.wave"),
    _kind(rb"fLaC", "audio/flac", ".flac", "audio/x-flac"),
    _kind(rb"OggS", "audio/ogg", ".ogg .oga .opus .ogv", "video/ogg application/ogg audio/opus"),
    _kind(rb"ID3|\xff[\xfb\xf3\xf2\xfa]", "audio/mpeg", ".mp3", "audio/mp3 audio/x-mp3"),
    _kind(rb"glTF[\x01\x02]\0{3}", "model/gltf-binary", ".glb"),
)
"""How they begin, first match wins (each format's own specification; IANA media types)."""

UNDECLARED = frozenset({"", "application/octet-stream", "binary/octet-stream"})
"""What says nothing about a file's content."""

ACCEPTED = ", ".join(dict.fromkeys(kind.extensions[0].removeprefix(".") for kind in KINDS))
"""The kinds in words, for messages."""


def kind_of(head: bytes) -> Kind | None:
    """Return the kind of a file that begins with `head`, None for one that is not taken."""
    return next((kind for kind in KINDS if kind.pattern.match(head)), None)


def is_taken(content_type: str) -> bool:
    """Tell whether files of this content type may be input files."""
    return any(kind.is_called(content_type.lower()) for kind in KINDS)
