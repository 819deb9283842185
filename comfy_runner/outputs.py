"""What a finished prompt left behind: every file and text, found, typed and named."""

from __future__ import annotations

import functools
import hashlib
import mimetypes
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfy_runner.errors import StorageFailed

KINDS = ("image", "video", "audio", "model", "latent", "text", "file")

_MAGIC = (
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF.{4}WEBP", "image/webp"),
    (rb".{4}ftypavi[fs]", "image/avif"),
    (rb".{4}ftyp(?:hei[cx]|mif1)", "image/heic"),
    (rb"\x76\x2f\x31\x01", "image/x-exr"),
    (rb"II\*\0|MM\0\*", "image/tiff"),
    (rb"BM.{4}\0{4}", "image/bmp"),
    (rb".{4}ftypM4[AB] ", "audio/mp4"),
    (rb".{4}ftypqt  ", "video/quicktime"),
    (rb".{4}ftyp", "video/mp4"),
    (rb"\x1aE\xdf\xa3.{0,64}webm", "video/webm"),
    (rb"\x1aE\xdf\xa3", "video/x-matroska"),
    (rb"RIFF.{4}AVI ", "video/x-msvideo"),
    (rb"RIFF.{4}WAVE", "audio/wav"),
    (rb"fLaC", "audio/flac"),
    (rb"ID3|\xff[\xfa\xfb\xf2\xf3]", "audio/mpeg"),
    (rb"OggS.{0,80}\x80theora", "video/ogg"),
    (rb"OggS", "audio/ogg"),
    (rb"glTF", "model/gltf-binary"),
)
"""How the files that nodes write begin, first match wins (IANA media types)."""

_EXTENSIONS = {
    ".latent": ("latent", "application/octet-stream"),
    ".glb": ("model", "model/gltf-binary"),
    ".gltf": ("model", "model/gltf+json"),
    ".obj": ("model", "model/obj"),
    ".stl": ("model", "model/stl"),
    ".ply": ("model", "application/octet-stream"),
    ".fbx": ("model", "application/octet-stream"),
    ".usdz": ("model", "model/vnd.usdz+zip"),
    ".mkv": ("video", "video/x-matroska"),
    ".flac": ("audio", "audio/flac"),
    ".opus": ("audio", "audio/ogg"),
    ".webp": ("image", "image/webp"),
}
"""Formats without a magic number, and types that Python's own table does not know."""

_HEAD_BYTES = 4096
_JOB_ID = re.compile(r"[A-Za-z0-9_+-]{1,128}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Output:
    """One output of a job as its owner sees it; `key` is where its file lies in the bucket.

    `kind` is one of `KINDS`; `size_bytes` counts bytes; `text` is set for texts, which
    have no file and so an empty `key`.
    """

    node_id: str
    kind: str
    filename: str
    key: str
    size_bytes: int
    content_type: str
    text: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the output as a JSON object."""
        return {
            "node_id": self.node_id,
            "kind": self.kind,
            "filename": self.filename,
            "key": self.key,
            "size_bytes": self.size_bytes,
            "content_type": self.content_type,
            "text": self.text,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Output:
        """Return the output that `to_json` described."""
        return cls(
            node_id=data["node_id"],
            kind=data["kind"],
            filename=data["filename"],
            key=data["key"],
            size_bytes=data["size_bytes"],
            content_type=data["content_type"],
            text=data.get("text"),
        )


@dataclass(frozen=True)
class FileReference:
    """A file as a node named it; `type` is ComfyUI's directory: "output" or "temp"."""

    node_id: str
    filename: str
    subfolder: str
    type: str


@dataclass(frozen=True)
class TextReference:
    """A text that a node showed."""

    node_id: str
    text: str

    def to_output(self) -> Output:
        """Return the text as an output, which needs no file."""
        size = len(self.text.encode("utf-8", "surrogatepass"))
        return Output(self.node_id, "text", "", "", size, "text/plain; charset=utf-8", self.text)


Reference = FileReference | TextReference


def find(outputs: Mapping[str, Any], *, temp: bool = False) -> tuple[Reference, ...]:
    """Return what the nodes' ui results refer to, under whatever key, in their order.

    Files of type "output" count, previews (type "temp") only when there is no other file;
    each file once. Strings under "text", and lists of nothing but strings, are texts.
    """
    found = tuple(_references(outputs))
    types = {each.type for each in found if isinstance(each, FileReference)}
    wanted = {"output"} if "output" in types else {"temp"}
    if temp:
        wanted = {"output", "temp"}
    kept: dict[object, Reference] = {}
    for index, each in enumerate(found):
        if isinstance(each, TextReference):
            kept[index] = each
        elif each.type in wanted:
            kept.setdefault((each.subfolder, each.filename), each)
    return tuple(kept.values())


def resolve(reference: FileReference, directories: Mapping[str, Path]) -> Path:
    """Return where the file lies, given ComfyUI's directory of each type.

    Raises:
        StorageFailed: It lies outside its directory, or is not there.
    """
    directory = directories.get(reference.type)
    if directory is None:
        raise _lost(reference, f"is of the unknown type {reference.type!r}")
    try:
        root = os.path.realpath(directory)
        path = os.path.realpath(Path(root, reference.subfolder, reference.filename))
    except ValueError as error:
        raise _lost(reference, "has an impossible name") from error
    if os.path.commonpath([root, path]) != root:
        raise _lost(reference, "lies outside ComfyUI's folders")
    if not Path(path).is_file():
        raise _lost(reference, "is not there")
    return Path(path)


def describe(path: Path) -> tuple[str, str]:
    """Return the kind and content type of a file, by what it holds, else by its extension.

    ComfyUI's key says nothing: it files videos under "images".
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    content_type = _sniff(head)
    if content_type is not None:
        return _kind(content_type), content_type
    suffix = path.suffix.lower()
    if suffix in _EXTENSIONS:
        return _EXTENSIONS[suffix]
    guessed = _builtin_types().guess_type(f"file{suffix}")[0] or "application/octet-stream"
    return _kind(guessed), guessed


def key_for(job_id: str, node_id: str, index: int, filename: str) -> str:
    """Return the bucket key of a node's output number `index`: plain ASCII, one per output.

    Raises:
        ValueError: The job id is no plain name.
    """
    if not _JOB_ID.fullmatch(job_id):
        raise ValueError(f"job id {job_id!r}: use 1 to 128 of A-Z a-z 0-9 _ + -")
    return f"outputs/{job_id}/{_safe_node(node_id)}/{index:04d}-{_safe_name(filename)}"


def _references(outputs: Mapping[str, Any]) -> Iterator[Reference]:
    for node_id, result in outputs.items():
        for key, items in result.items() if isinstance(result, dict) else ():
            if isinstance(items, list):
                yield from _in_list(node_id, key, items)


def _in_list(node_id: str, key: str, items: list[Any]) -> Iterator[Reference]:
    texts = key == "text" or all(isinstance(item, str) for item in items)
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("filename"), str) and item["filename"]:
            yield _file(node_id, item)
        elif texts and isinstance(item, str):
            yield TextReference(node_id, item)


def _file(node_id: str, item: Mapping[str, Any]) -> FileReference:
    path = posixpath.join(str(item.get("subfolder") or ""), item["filename"])
    subfolder, filename = posixpath.split(posixpath.normpath(path))
    return FileReference(node_id, filename, subfolder, str(item.get("type") or "output"))


def _lost(reference: FileReference, reason: str) -> StorageFailed:
    message = f"output {reference.filename!r} of node {reference.node_id!r} {reason}"
    return StorageFailed(message, node_id=reference.node_id)


def _sniff(head: bytes) -> str | None:
    for pattern, content_type in _MAGIC:
        if re.match(pattern, head, re.DOTALL):
            return content_type
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    is_markup = start.startswith((b"<svg", b"<?xml", b"<!"))
    if is_markup and b"<svg" in start and b"<html" not in start.lower():
        return "image/svg+xml"
    return None


def _kind(content_type: str) -> str:
    family = content_type.partition("/")[0]
    return family if family in ("image", "video", "audio", "model") else "file"


@functools.cache
def _builtin_types() -> mimetypes.MimeTypes:
    """Return Python's own table, which is the same on every machine."""
    return mimetypes.MimeTypes()


def _safe_node(node_id: str) -> str:
    """Return the id for use in a key; a digest keeps apart what the cleaning makes alike."""
    clean = _UNSAFE.sub("_", node_id).strip(".")[:64]
    if clean == node_id and clean:
        return clean
    digest = hashlib.sha256(node_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{clean or 'node'}-{digest[:12]}"


def _safe_name(filename: str) -> str:
    plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    stem, dot, suffix = _UNSAFE.sub("_", plain).rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    stem = stem.strip(".")[:80] or "file"
    return f"{stem}.{suffix[:16]}" if suffix else stem
