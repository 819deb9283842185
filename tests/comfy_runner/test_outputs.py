"""Outputs as real runs left them, and as custom nodes might."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comfy_runner.errors import StorageFailed
from comfy_runner.outputs import FileReference, Output, Reference, TextReference, find, resolve
from tests.comfy_runner import recordings


def saved(node_id: str, filename: str, subfolder: str = "") -> FileReference:
    return FileReference(node_id, filename, subfolder, "output")


def preview(node_id: str, filename: str) -> FileReference:
    return FileReference(node_id, filename, "", "temp")


RECORDED: tuple[tuple[str, tuple[Reference, ...]], ...] = (
    (
        "out_animated_webp_png",
        (saved("3", "apng_00001_.png"), saved("2", "anim_00001_.webp")),
    ),
    (
        "out_audio",
        (
            saved("3", "ComfyUI_00001_.mp3", "audio"),
            saved("2", "ComfyUI_00002_.flac", "audio"),
            saved("5", "ComfyUI_00003_.opus", "audio"),
        ),
    ),
    (
        "out_batch",
        tuple(saved("3", f"b_0000{number}_.png", "batch/a") for number in (1, 2, 3)),
    ),
    ("out_execution_blocked", (preview("4", "ComfyUI_temp_niiam_00002_.png"),)),
    ("out_gifs", (saved("2", "AnimateDiff_00001_.gif"),)),
    ("out_latent", (saved("2", "x_00001_.latent", "latents"),)),
    ("out_loadimage_invert_preview", (saved("3", "inv_768x768_2026-11-23_00001_.png"),)),
    (
        "out_parallel_async",
        (
            preview("4", "ComfyUI_temp_niiam_00001_.png"),
            preview("5", "ComfyUI_temp_hmpyi_00001_.png"),
        ),
    ),
    ("out_subgraph_expand", (preview("4", "ComfyUI_temp_dreun_00001_.png"),)),
    ("out_svg_3d", (TextReference("1", "mesh/x.glb"),)),
    ("out_text", (TextReference("1", "hello world"), TextReference("2", "hello world"))),
    ("out_video", (saved("3", "vid_00001_.mp4", "video"),)),
    ("out_webm", (saved("2", "webm_00001_.webm"),)),
    ("out_websocket_image", ()),
    ("ksampler_t2i", (saved("9", "ComfyUI_00029_.png"),)),
)


@pytest.mark.parametrize(("name", "expected"), RECORDED)
def test_a_recorded_run_has_exactly_these_outputs(
    name: str, expected: tuple[Reference, ...]
) -> None:
    assert find(recordings.item(name)["outputs"]) == expected


def test_no_recording_of_outputs_is_left_out() -> None:
    recorded = {name for name in recordings.names() if name.startswith("out_")}
    assert recorded <= {name for name, _ in RECORDED}


def test_files_are_found_under_any_key() -> None:
    ui = {key: [{"filename": f"{key}.bin"}] for key in ("images", "3d", "mesh", "files", "x y")}
    found = find({"1": ui})
    assert found == tuple(saved("1", f"{key}.bin") for key in ui)


def test_a_file_named_twice_is_found_once_whichever_way_it_is_written() -> None:
    outputs = {
        "1": {"images": [{"filename": "a.png", "subfolder": "s", "type": "output"}]},
        "2": {"files": [{"filename": "s/a.png"}, {"filename": "a.png", "subfolder": "./s/"}]},
    }
    assert find(outputs) == (saved("1", "a.png", "s"),)


def test_files_of_the_input_folder_are_never_outputs() -> None:
    assert find({"1": {"images": [{"filename": "a.png", "type": "input"}]}}) == ()


def test_previews_stand_beside_texts_when_there_is_no_file() -> None:
    outputs = {
        "1": {"text": ["a"]},
        "2": {"images": [{"filename": "p.png", "type": "temp"}]},
    }
    assert find(outputs) == (TextReference("1", "a"), preview("2", "p.png"))


def test_every_text_of_a_batch_is_kept_although_they_are_alike() -> None:
    assert find({"1": {"text": ["a", "a"]}}) == (TextReference("1", "a"),) * 2


def test_every_string_of_a_list_is_a_text_under_any_key() -> None:
    ui = {"string": ["a", ["b"]], "result": ["c", None, 3], "alone": "d", "animated": [True]}
    assert find({"1": ui}) == tuple(TextReference("1", text) for text in "abcd")


def test_files_are_found_within_lists_and_objects_and_strings_there_are_no_texts() -> None:
    ui = {"a": [[{"x": {"filename": "1.bin"}, "label": "no text"}]], "b": {"filename": "2.bin"}}
    assert find({"1": ui}) == (saved("1", "1.bin"), saved("1", "2.bin"))


def test_nesting_deeper_than_any_node_writes_is_left_alone() -> None:
    deep: Any = [{"filename": "a.png"}]
    for _ in range(10_000):
        deep = [deep]
    assert find({"1": {"a": deep, "b": ["text"]}}) == (TextReference("1", "text"),)


@pytest.mark.parametrize(
    ("filename", "kind", "expected"),
    [
        ("a.png [temp]", "output", preview("1", "a.png")),
        ("a.png [output]", "temp", saved("1", "a.png")),
        ("a.png [draft]", "output", saved("1", "a.png [draft]")),
        ("a.png[temp]", "output", saved("1", "a.png[temp]")),
    ],
)
def test_a_name_may_say_its_folder_as_comfyui_writes_it(
    filename: str, kind: str, expected: Reference
) -> None:
    assert find({"1": {"images": [{"filename": filename, "type": kind}]}}) == (expected,)


def test_a_name_that_says_it_lies_in_the_input_folder_is_no_output() -> None:
    assert find({"1": {"images": [{"filename": "a.png [input]", "type": "output"}]}}) == ()


def test_previews_come_along_where_they_are_wanted() -> None:
    images = [{"filename": "a.png", "type": each} for each in ("temp", "output", "input")]
    outputs = {"1": {"images": images}}
    assert find(outputs) == (saved("1", "a.png"),)
    assert find(outputs, temp=True) == (preview("1", "a.png"), saved("1", "a.png"))


@pytest.mark.parametrize(
    "ui",
    [None, [], "x", {"images": None}, {"images": {"label": "a"}}, {"images": [None, 3, []]}]
    + [{"images": [{"filename": name}]} for name in (None, 3, "", ["a"])],
)
def test_results_of_any_other_shape_are_no_outputs(ui: Any) -> None:
    assert find({"1": ui}) == ()


def test_a_text_becomes_an_output_without_a_file() -> None:
    assert TextReference("7", "olá").to_output() == Output(
        node_id="7",
        kind="text",
        filename="",
        key="",
        size_bytes=4,
        content_type="text/plain; charset=utf-8",
        text="olá",
    )


def test_an_output_survives_json() -> None:
    output = Output("9", "image", "a.png", "outputs/j/9/0000-a.png", 12, "image/png")
    assert Output.from_json(json.loads(json.dumps(output.to_json()))) == output
    text = TextReference("7", "olá").to_output()
    assert Output.from_json(json.loads(json.dumps(text.to_json()))) == text


@pytest.fixture
def directories(tmp_path: Path) -> dict[str, Path]:
    for path in ("output/s", "temp", "input"):
        (tmp_path / path).mkdir(parents=True)
    for path in ("output/s/a.png", "temp/p.png", "input/secret", "outside"):
        (tmp_path / path).write_bytes(b"x")
    return {"output": tmp_path / "output", "temp": tmp_path / "temp"}


def test_a_file_is_resolved_in_the_directory_of_its_type(directories: dict[str, Path]) -> None:
    assert resolve(saved("1", "a.png", "s"), directories) == directories["output"] / "s/a.png"
    assert resolve(preview("1", "p.png"), directories) == directories["temp"] / "p.png"


@pytest.mark.parametrize(
    ("filename", "subfolder", "kind", "reason"),
    [
        ("outside", "..", "output", "lies outside"),
        ("outside", "s/../..", "output", "lies outside"),
        ("secret", "../input", "output", "lies outside"),
        ("passwd", "/etc", "output", "lies outside"),
        ("link", "", "output", "lies outside"),
        ("a.png", "", "output", "is not there"),
        ("s", "", "output", "is no regular file"),
        ("n" * 5000, "", "output", "n{100}[.]{3}. of node .4. is not there"),
        ("\ud800.png", "", "output", "impossible name"),
        ("a\0.png", "", "output", "impossible name"),
        ("secret", "", "input", "unknown type 'input'"),
    ],
)
def test_a_file_outside_its_directory_or_missing_is_refused(
    filename: str, subfolder: str, kind: str, reason: str, directories: dict[str, Path]
) -> None:
    (directories["output"] / "link").symlink_to(directories["output"].parent / "outside")
    with pytest.raises(StorageFailed, match=reason) as caught:
        resolve(FileReference("4", filename, subfolder, kind), directories)
    assert caught.value.node_id == "4"
    assert str(directories["output"].parent) not in str(caught.value)


def test_a_directory_that_is_itself_a_link_resolves(directories: dict[str, Path]) -> None:
    link = directories["output"].parent / "linked"
    link.symlink_to(directories["output"])
    assert resolve(saved("1", "a.png", "s"), {"output": link}).is_file()


def test_a_full_path_from_the_server_is_not_even_looked_at() -> None:
    ui = {"gifs": [{"filename": "a.gif", "fullpath": "/etc/passwd", "type": "output"}]}
    assert find({"1": ui}) == (saved("1", "a.gif"),)
