"""What a job asks of a ComfyUI, and who hears how it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from comfy_runner.graph import Graph
from comfy_runner.media import Media
from comfy_runner.outputs import Output
from comfy_runner.progress import Snapshot


@dataclass(frozen=True)
class Work:
    """A graph with its input files; `temp_outputs` also keeps what nodes only showed."""

    graph: Graph
    media: tuple[Media, ...] = ()
    temp_outputs: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the work as a JSON object."""
        media = [each.to_json() for each in self.media]
        return {"graph": self.graph, "media": media, "temp_outputs": self.temp_outputs}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the work that `to_json` described."""
        media = tuple(map(Media.from_json, data.get("media", ())))
        return cls(data["graph"], media, bool(data.get("temp_outputs")))


class Listener(Protocol):
    """Hears of one work in the thread that runs it; what a method raises ends the work."""

    def progress(self, snapshot: Snapshot) -> None:
        """Hear where the work stands; one that starts again starts at nothing."""

    def outputs(self, outputs: tuple[Output, ...]) -> None:
        """Hear of all outputs that are stored by now."""

    def log(self, line: str) -> None:
        """Hear of an event in words, fit for the client."""
