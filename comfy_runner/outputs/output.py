"""One output of a job: as a node named it, and as its owner sees it once it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Output:
    """One output of a job as its owner sees it; `key` is where its file lies in the bucket.

    `kind` is one of `KINDS`; `size_bytes` counts bytes; `text` is set for texts, which
    have no file and so an empty `key`. Width and height are pixels; they and the others of
    `Facts` are None where they mean nothing or nobody knows. `is_temp` marks a file that
    its node only showed, and did not save. `sha256` is of the file, in hexadecimal digits.
    """

    node_id: str
    kind: str
    filename: str
    key: str
    size_bytes: int
    content_type: str
    text: str | None = None
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    frames: int | None = None
    is_temp: bool = False
    sha256: str | None = None

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
            "width": self.width,
            "height": self.height,
            "duration_seconds": self.duration_seconds,
            "frames": self.frames,
            "temporary": self.is_temp,
            "sha256": self.sha256,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Output:
        """Return the output that `to_json` described, also an older version of it."""
        return cls(
            node_id=data["node_id"],
            kind=data["kind"],
            filename=data["filename"],
            key=data["key"],
            size_bytes=data["size_bytes"],
            content_type=data["content_type"],
            text=data.get("text"),
            width=data.get("width"),
            height=data.get("height"),
            duration_seconds=data.get("duration_seconds"),
            frames=data.get("frames"),
            is_temp=data.get("temporary", False),
            sha256=data.get("sha256"),
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
