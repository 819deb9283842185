"""What an input file is to a job: a name, and where the file can be had."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from comfy_runner.addresses import Network
from comfy_runner.graph import Graph

if TYPE_CHECKING:
    from settings import Settings

FOLDER = "media"
"""Where in the bucket files that were sent lie, each under the SHA-256 of its content."""


@dataclass(frozen=True)
class Media:
    """One input file: `key` is its place in the bucket, or else `url` where to fetch it from."""

    name: str
    key: str | None = None
    url: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the file as a JSON object."""
        return {"name": self.name, "key": self.key, "url": self.url}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the file that `to_json` described."""
        return cls(data["name"], data.get("key"), data.get("url"))


@dataclass(frozen=True)
class Policy:
    """The limits: files of one job, bytes and seconds of one file, private networks allowed."""

    max_files: int = 10
    max_bytes: int = 50 * 2**20
    fetch_seconds: float = 60.0
    allow: tuple[Network, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits that the settings set."""
        return cls(
            max_files=settings.media_max_files,
            max_bytes=settings.media_max_megabytes * 2**20,
            fetch_seconds=settings.media_fetch_seconds,
            allow=tuple(map(ipaddress.ip_network, settings.outbound_allow)),
        )


def refer(graph: Graph, files: Mapping[str, str]) -> Graph:
    """Return a copy in which every input whose value is a media name holds its file's path.

    `files` maps the names to paths below ComfyUI's input directory. A `filename_prefix` names
    what a node saves, and so never an input.
    """

    def path(field: str, value: Any) -> Any:
        if not isinstance(value, str) or field == "filename_prefix":
            return value
        return files.get(value, value)

    return {
        node_id: {
            **node,
            "inputs": {field: path(field, value) for field, value in node["inputs"].items()},
        }
        for node_id, node in graph.items()
    }
