"""What a row of the matrix of outputs is: a node that leaves something, and what becomes of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comfy_runner.facts import Facts
from tests.comfy_runner.runs import node
from tests.comfy_runner.samples import FRAMES, HEIGHT, NOTHING, RATE, WIDTH, Sample

Graph = dict[str, Any]

SOURCES: Graph = {
    "source-still": node("FramesNode", width=WIDTH, height=HEIGHT, frames=1),
    "source-moving": node("FramesNode", width=WIDTH, height=HEIGHT, frames=FRAMES),
    "source-video": node("CreateVideo", images=["source-moving", 0], fps=RATE),
    "source-latent": node("EmptyLatentImage", width=64, height=64, batch_size=1),
    "source-mesh": node("MeshNode"),
    "source-svg": node("SvgNode", svg="<svg xmlns='http://www.w3.org/2000/svg'/>"),
}
"""What the nodes of ComfyUI's own are fed with."""

TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Expected:
    """One output; `content` is what its file must hold, None where ComfyUI makes it up."""

    kind: str
    content_type: str
    filename: str = ""
    facts: Facts = NOTHING
    content: bytes | None = None
    text: str | None = None
    is_temp: bool = False


@dataclass(frozen=True)
class Row:
    """What a node leaves, under which key of its result, and the outputs or the error it becomes.

    Rows run in one prompt together, unless they are `alone`: an error would end all, and what is
    only shown counts when nothing is saved. `times` is how often each output is there.
    """

    title: str
    node: Graph
    key: str
    outputs: tuple[Expected, ...] = ()
    error: str | None = None
    alone: bool = False
    temp_outputs: bool = False

    @property
    def id(self) -> str:
        """The id of the node, fit for a key and for the name of a test."""
        return self.title.replace(" ", "_")

    @property
    def producer(self) -> str:
        """The class of the node."""
        name: str = self.node["class_type"]
        return name


def emitted(
    title: str,
    files: Mapping[str, bytes],
    ui: Mapping[str, Any],
    outputs: tuple[Expected, ...] = (),
    **more: Any,
) -> Row:
    """Return a row of a node that writes `files` below its prefix and shows `ui`."""
    encoded = {
        path if path.startswith("$") else f"$OUTPUT/$PREFIX/{path}": base64.b64encode(content)
        for path, content in files.items()
    }
    graph = node(
        "EmitNode",
        filename_prefix=title.replace(" ", "_"),
        files=json.dumps({path: content.decode() for path, content in encoded.items()}),
        ui=json.dumps(ui),
    )
    return Row(title, graph, next(iter(ui)), outputs, **more)


def item(filename: str, subfolder: str = "", **more: Any) -> dict[str, Any]:
    """Return a file as nodes name it, below the prefix."""
    below = f"$PREFIX/{subfolder}" if subfolder else "$PREFIX"
    return {"filename": filename, "subfolder": below, "type": "output", **more}


def expected(sample: Sample, filename: str) -> Expected:
    """Return the output that a sample becomes."""
    return Expected(sample.kind, sample.content_type, filename, sample.facts, sample.content)


KEYS = {"image": "images", "video": "gifs", "audio": "audio", "model": "3d", "latent": "latents"}
"""Where node packs file what; VideoHelperSuite says "gifs" for every video."""


def of_sample(sample: Sample) -> Row:
    """Return the row of a file that a custom node writes."""
    name = f"file{sample.suffix}"
    return emitted(
        sample.format,
        {name: sample.content},
        {KEYS.get(sample.kind, "files"): [item(name)]},
        (expected(sample, name),),
    )
