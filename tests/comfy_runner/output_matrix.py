"""Every kind of output that nodes leave behind, and what must become of it, as one table.

`test_output_matrix.py` makes each of these with a real ComfyUI, and holds `docs/runner.md` to it;
`python -m tests.comfy_runner.output_matrix` writes it there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from comfy_runner.facts import Facts
from tests.comfy_runner.odd_outputs import odd_rows
from tests.comfy_runner.output_rows import TEXT_TYPE, Expected, Row, of_sample
from tests.comfy_runner.runs import node
from tests.comfy_runner.samples import BINARY, FRAMES, MOVING, RATE, STILL, samples

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "runner.md"
BEGIN, END = "<!-- outputs -->", "<!-- /outputs -->"

Inputs = dict[str, Any]

HEADINGS = ("What", "Node", "ComfyUI's key", "Kind", "Content type", "Name", "Facts", "File")


@cache
def rows() -> tuple[Row, ...]:
    """Return all rows: ComfyUI's own nodes, every format of custom nodes, and odd results."""
    return (*_own(), *map(of_sample, samples()), *odd_rows())


def _own() -> Iterator[Row]:
    """Yield the rows of ComfyUI's own nodes, as far as they run without a GPU and torchaudio."""
    image = ["source-still", 0]
    frames: Inputs = {"images": ["source-moving", 0], "fps": RATE}
    batch = tuple(_image(f"own_{number:05}_.png") for number in range(1, FRAMES + 1))
    webp: Inputs = {"lossless": True, "quality": 80, "method": "default"}
    uncounted = replace(MOVING, frames=None)
    yield _saves("a picture", "SaveImage", (_image("own_00001_.png"),), images=image)
    yield _saves("a batch of pictures", "SaveImage", batch, images=["source-moving", 0])
    moving = (_image("own_00001_.png", MOVING),)
    yield _saves("moving PNG", "SaveAnimatedPNG", moving, compress_level=4, **frames)
    moving = (_image("own_00001_.webp", MOVING),)
    yield _saves("moving WebP", "SaveAnimatedWEBP", moving, num_frames=0, **webp, **frames)
    film = (Expected("video", "video/mp4", "own_00001_.mp4", MOVING),)
    video: Inputs = {"video": ["source-video", 0], "format": "auto", "codec": "auto"}
    yield _saves("a video under images", "SaveVideo", film, **video)
    film = (Expected("video", "video/webm", "own_00001_.webm", uncounted),)
    yield _saves("a WebM under images", "SaveWEBM", film, codec="vp9", crf=32.0, **frames)
    latent = (Expected("latent", BINARY, "own_00001_.latent"),)
    yield _saves(
        "a saved latent", "SaveLatent", latent, key="latents", samples=["source-latent", 0]
    )
    svg = (Expected("image", "image/svg+xml", "own_00001_.svg"),)
    yield _saves("a saved SVG", "SaveSVGNode", svg, svg=["source-svg", 0])
    model = (Expected("model", "model/gltf-binary", "own_00001_.glb"),)
    yield _saves("a mesh", "SaveGLB", model, key="3d", mesh=["source-mesh", 0])
    shown = (Expected("text", TEXT_TYPE, text="olá"),)
    yield Row("a text", node("PreviewAny", source="olá"), "text", shown)
    named = (Expected("text", TEXT_TYPE, text="mesh/x.glb"),)
    yield Row("a name of no file", node("Preview3D", model_file="mesh/x.glb"), "result", named)
    sent = (_image("ComfyUI_00001_.png"),)
    sender = node("SaveImageWebsocket", images=image)
    yield Row("a picture sent", sender, "(event stream)", sent, alone=True)


def _saves(
    title: str,
    class_type: str,
    outputs: tuple[Expected, ...],
    *,
    key: str = "images",
    **inputs: Any,
) -> Row:
    prefix = f"{title.replace(' ', '_')}/own"
    return Row(title, node(class_type, filename_prefix=prefix, **inputs), key, outputs)


def _image(name: str, facts: Facts = STILL) -> Expected:
    return Expected("image", f"image/{name.rpartition('.')[2]}", name, facts)


def table() -> str:
    """Return the table as Markdown."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *map(_cells, rows())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    start = (row.title, f"`{row.producer}`", f"`{row.key}`")
    if row.error is not None:
        return (*start, f"error `{row.error}`", "none", "none", "none", "none")
    first, more = row.outputs[0], len(row.outputs) - 1
    return (
        *start,
        first.kind + (f" (and {more} more)" if more else ""),
        f"`{first.content_type}`",
        _name(first),
        _facts(first.facts),
        _file(first),
    )


def _name(output: Expected) -> str:
    shown = output.filename.encode("ascii", "backslashreplace").decode()
    shown = shown if len(shown) <= 40 else f"{shown[:32]}...{shown[-8:]}"
    return f"`{shown}`" if shown else "none"


def _facts(facts: Facts) -> str:
    told = [
        f"{facts.width} x {facts.height}" if facts.width else "",
        f"{facts.duration_seconds:.3g} s" if facts.duration_seconds else "",
        f"{facts.frames} frame{'s' * (facts.frames != 1)}" if facts.frames else "",
    ]
    return ", ".join(filter(None, told)) or "none"


def _file(output: Expected) -> str:
    if output.text is not None:
        return "none: in the answer"
    told = "byte for byte" if output.content is not None else "as its headers tell"
    return f"{told}, temporary" if output.is_temp else told


def document(text: str) -> str:
    """Return the text of the document with the table in its place.

    Raises:
        ValueError: it does not hold the marks of the place.
    """
    before, _, rest = text.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(
            f"{DOCUMENT.name} has no {BEGIN} ... {END}: write them where the table goes"
        )
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Write the table into the document."""
    DOCUMENT.write_text(document(DOCUMENT.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"wrote {len(rows())} rows\n")


if __name__ == "__main__":
    main()
