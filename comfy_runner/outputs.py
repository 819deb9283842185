"""What a finished prompt left behind: every file and text, found, typed and named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
