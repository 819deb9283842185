"""Rows of the matrix of outputs: results as unusual nodes leave them, and as broken ones do."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.comfy_runner.output_rows import TEXT_TYPE, Expected, Row, emitted, expected, item
from tests.comfy_runner.samples import HTML, Sample, picture, samples

COMPOSED = unicodedata.normalize("NFC", "ação.png")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
MARKED = "\u200f\U0001f3a8 \u05ea\u05de\u05d5\u05e0\u05d4 \u5199\u771f.png"
LONG = f"{'n' * 251}.png"


@cache
def png() -> Sample:
    """Return a small picture."""
    return next(each for each in samples() if each.format == "PNG")


def shows(*texts: str) -> tuple[Expected, ...]:
    """Return the outputs that texts become."""
    return tuple(Expected("text", TEXT_TYPE, text=each) for each in texts)


def odd_rows() -> Iterator[Row]:
    """Yield all rows."""
    yield from _names()
    yield from _disguises()
    yield from _references()
    yield from _texts()
    yield from _temporary()
    yield from _broken()


def _names() -> Iterator[Row]:
    content, names = png().content, (COMPOSED, DECOMPOSED, MARKED, LONG)
    files = {f"{folder}/same.png": content for folder in "ab"}
    images = {"images": [item("same.png", folder) for folder in "ab"]}
    yield emitted("one name in two subfolders", files, images, (expected(png(), "same.png"),) * 2)
    for title, name in zip(("composed", "decomposed", "marked", "long"), names, strict=True):
        shown = (expected(png(), name),)
        yield emitted(f"a {title} name", {name: content}, {"images": [item(name)]}, shown)


def _disguises() -> Iterator[Row]:
    page = Expected("file", "text/html", "page.png", content=HTML)
    yield emitted("HTML called PNG", {"page.png": HTML}, {"images": [item("page.png")]}, (page,))
    still = picture("JPEG")
    jpeg = Expected("image", "image/jpeg", "still.mp4", expected(png(), "").facts, still)
    yield emitted("JPEG called MP4", {"still.mp4": still}, {"video": [item("still.mp4")]}, (jpeg,))
    junk = Expected("file", "application/octet-stream", "junk.png", content=b"\0junk")
    yield emitted(
        "noise called PNG", {"junk.png": b"\0junk"}, {"images": [item("junk.png")]}, (junk,)
    )


def _references() -> Iterator[Row]:
    """Yield the ways in which nodes name their files; each finds the same one."""
    path = "$OUTPUT/$PREFIX/a.png"
    ways: dict[str, dict[str, Any]] = {
        "a full path that lies": {"gifs": [item("a.png", fullpath="/etc/passwd", frame_rate=8.0)]},
        "a file within lists": {"files": [[[item("a.png")]]]},
        "a file within an object": {"custom": [{"best": {"of": [item("a.png")]}, "label": "x"}]},
        "a file named twice": {"images": [item("a.png")], "files": [item("./a.png")]},
        "an absolute name": {"images": [{"filename": path, "type": "output"}]},
        "an annotated name": {"images": [item("a.png [output]")]},
        "a file without a type": {"images": [{"filename": "$PREFIX/a.png"}]},
        "a bare name": {"result": ["$PREFIX/a.png", None, None]},
        "a bare absolute path": {"result": [path]},
        "a bare name with its folder": {"result": ["output/$PREFIX/a.png"]},
    }
    for title, ui in ways.items():
        yield emitted(title, {"a.png": png().content}, ui, (expected(png(), "a.png"),))


def _texts() -> Iterator[Row]:
    yield emitted("texts under any key", {}, {"string": ["a", "a", ["b"]]}, shows("a", "a", "b"))
    yield emitted("texts beside numbers", {}, {"text": ["a", 3, None, True]}, shows("a"))
    yield emitted("the name of an alien file", {}, {"text": ["/etc/passwd"]}, shows("/etc/passwd"))


def _temporary() -> Iterator[Row]:
    content, saved = png().content, expected(png(), "a.png")
    shown = Expected("image", "image/png", "t.png", saved.facts, content, is_temp=True)
    images = {"images": [{"filename": "t.png", "type": "temp"}, item("a.png")]}
    both = {"$TEMP/t.png": content, "a.png": content}
    only = {"images": [{"filename": "t.png", "type": "temp"}]}
    yield emitted("saved and shown", both, images, (saved,))
    wanted = {"alone": True, "temp_outputs": True}
    yield emitted("saved and shown and wanted", both, images, (shown, saved), **wanted)
    yield emitted("only shown", {"$TEMP/t.png": content}, only, (shown,), alone=True)
    bare = {"result": ["temp/t.png"]}
    yield emitted(
        "only shown by a bare name", {"$TEMP/t.png": content}, bare, (shown,), alone=True
    )


def _broken() -> Iterator[Row]:
    wrong = {
        "a file that is missing": ({}, {"images": [item("gone.png")]}),
        "a file that is empty": ({"a.png": b""}, {"images": [item("a.png")]}),
        "a file that is a folder": ({"a.png/x": b"x"}, {"images": [item("a.png")]}),
        "a file outside": ({}, {"images": [{"filename": "../../etc/passwd", "type": "output"}]}),
        "a file of another program": ({}, {"images": [{"filename": "/etc/passwd"}]}),
    }
    for title, (files, ui) in wrong.items():
        yield emitted(title, files, ui, error="storage_failed", alone=True)
    saves_nothing: dict[str, Any] = {"images": []}
    yield emitted(
        "no file although one is promised", {}, saves_nothing, error="no_outputs", alone=True
    )
