"""Bare names and paths in results: which are files, and that nobody reaches what is not his."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from comfy_runner.errors import OutputGone, StorageFailed
from comfy_runner.outputs import FileReference, Output, TextReference, find, inspect
from tests.comfy_runner.samples import picture

NEW = time.time()


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    for path in ("output/sub/a.png", "output/a.png", "temp/t.png", "temp/a.png", "input/i.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(picture("PNG"))
    (tmp_path / "output/link.png").symlink_to(tmp_path / "input/i.png")
    os.mkfifo(tmp_path / "output/pipe.png")
    return {name: tmp_path / name for name in ("output", "temp")}


def found(places: dict[str, Path], ui: Any, *, since: float = 0.0) -> list[tuple[str, str] | str]:
    """Return files as type and path, and texts as they are."""
    return [
        each.text
        if isinstance(each, TextReference)
        else (each.type, f"{each.subfolder}/{each.filename}".strip("/"))
        for each in find({"1": ui}, temp=True, directories=places, since=since)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sub/a.png", ("output", "sub/a.png")),
        ("./sub/../sub/a.png", ("output", "sub/a.png")),
        ("a.png", ("output", "a.png")),
        ("t.png", ("temp", "t.png")),
        ("temp/t.png", ("temp", "t.png")),
        ("temp/a.png", ("temp", "a.png")),
        ("output/a.png", ("output", "a.png")),
        ("a.png [temp]", ("temp", "a.png")),
        ("{output}/sub/a.png", ("output", "sub/a.png")),
        ("{temp}/a.png", ("temp", "a.png")),
    ],
)
def test_a_bare_name_of_a_file_is_that_file(
    text: str, expected: tuple[str, str], places: dict[str, Path]
) -> None:
    text = text.format(**places)
    assert found(places, {"result": [text, None, {"camera": "no text"}]}) == [expected]
    assert found(places, {"custom": [{"deep": [text], "label": "no text"}]}) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "/", "sub", "gone.png", "link.png", "pipe.png", "i.png", "input/i.png"),
        *("../input/i.png", "temp/../../input/i.png", "i.png [input]", "a.png\n", "a.png\0"),
        *("/etc/passwd", "{output}/../input/i.png", "{output}x/a.png", "x" * 300, "x" * 5000),
        *("\ud800", "sub/a.png/x", "A.PNG", "{output}"),
    ],
)
def test_any_other_string_is_a_text(text: str, places: dict[str, Path]) -> None:
    text = text.format(**places)
    assert found(places, {"result": [text]}) == [text]


def test_a_bare_name_does_not_reach_what_was_there_before(places: dict[str, Path]) -> None:
    os.utime(places["output"] / "a.png", (NEW - 1, NEW - 1))
    os.utime(places["output"] / "sub/a.png", (NEW, NEW))
    del places["temp"]
    assert found(places, {"text": ["a.png", "sub/a.png"]}, since=NEW) == [
        "a.png",
        ("output", "sub/a.png"),
    ]


def test_without_folders_every_string_is_a_text() -> None:
    assert find({"1": {"text": ["a.png"]}}) == (TextReference("1", "a.png"),)


def test_a_file_is_one_whichever_way_it_is_named(places: dict[str, Path]) -> None:
    linked = places["output"].parent / "linked"
    linked.symlink_to(places["output"])
    ui = {
        "images": [{"filename": "a.png", "subfolder": "sub", "type": "output"}],
        "files": [{"filename": f"{linked}/sub/a.png"}],
        "more": [{"filename": "a.png", "subfolder": str(places["output"] / "sub")}],
        "result": ["sub/a.png", f"{linked}/sub/a.png", str(places["output"] / "sub/a.png")],
    }
    assert found({**places, "output": linked}, ui) == [("output", "sub/a.png")]


def test_an_absolute_name_tells_the_folder_better_than_its_type(places: dict[str, Path]) -> None:
    ui = {"images": [{"filename": str(places["temp"] / "t.png"), "type": "output"}]}
    assert found(places, ui) == [("temp", "t.png")]


def test_a_name_in_both_folders_is_two_files(places: dict[str, Path]) -> None:
    images = [{"filename": "a.png", "type": each} for each in ("output", "temp")]
    assert found(places, {"images": images}) == [("output", "a.png"), ("temp", "a.png")]


def output_of(places: dict[str, Path], name: str, kind: str = "output") -> Output:
    return inspect(FileReference("7", name, "", kind), places, key="k")[1]


def test_a_file_is_described_as_it_will_be_stored(places: dict[str, Path]) -> None:
    path, output = inspect(FileReference("7", "a.png", "sub", "output"), places, key="k")
    size = len(picture("PNG"))
    expected = Output("7", "image", "a.png", "k", size, "image/png", None, 32, 16, None, 1)
    assert (path, output) == (places["output"] / "sub/a.png", expected)
    assert output_of(places, "t.png", "temp").is_temp
    assert Output.from_json(output.to_json()) == output
    assert Output.from_json(output_of(places, "t.png", "temp").to_json()).is_temp


def test_an_output_of_an_older_version_is_still_read() -> None:
    old = {"node_id": "1", "kind": "image", "filename": "a", "key": "k", "size_bytes": 1}
    output = Output.from_json({**old, "content_type": "image/png", "text": None})
    assert output == Output("1", "image", "a", "k", 1, "image/png")
    assert set(output.to_json()) == {
        *(*old, "content_type", "text", "width", "height", "duration_seconds", "frames"),
        "temporary",
        "sha256",
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pipe.png", "is no regular file"),
        ("sub", "is no regular file"),
        ("empty.png", "is empty"),
        ("link.png", "lies outside"),
        ("gone.png", "is not there"),
        ("circle", "is not there"),
    ],
)
def test_what_was_promised_and_is_no_file_is_named(
    name: str, reason: str, places: dict[str, Path]
) -> None:
    (places["output"] / "empty.png").touch()
    (places["output"] / "circle").symlink_to("circle")
    with pytest.raises(StorageFailed, match=f"'{name}' of node '7' {reason}") as caught:
        output_of(places, name)
    assert caught.value.node_id == "7"
    assert isinstance(caught.value, OutputGone) == (reason == "is not there")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\udcff.png", "a\ufffd.png"),
        ("a\nb\x7f.png", "a_b_.png"),
        ("\u200fa\u0327.png", "\u200fa\u0327.png"),
    ],
)
def test_a_name_is_shown_as_far_as_others_can_carry_it(
    name: str, shown: str, places: dict[str, Path]
) -> None:
    (places["output"] / name).write_bytes(b"x")
    told = output_of(places, name).filename
    assert told == shown
    assert told.encode()
