"""What the editor adds to the fields of some classes, which the recorded ComfyUI did not have."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from comfy_runner.errors import InvalidWorkflow
from tests.comfy_runner.editor_drawings import Classes, Json, convert, linked, node, workflow

NOW = datetime(2026, 3, 7)  # noqa: DTZ001 - a wall clock, as a browser has it
AUDIO: Json = {"audio": ["AUDIO"], "filename_prefix": ["STRING", {"default": "a"}]}
SAVERS = [
    "SaveImage",
    "SaveVideo",
    "SaveAnimatedWEBP",
    "SaveWEBM",
    "SaveAudio",
    "SaveGLB",
    "SaveAnimatedPNG",
    "CLIPSave",
    "VAESave",
    "ModelSave",
    "LoraSave",
    "SaveLatent",
]
REMOTE: Json = {"route": "/files", "refresh_button": True}


def one_class(name: str, required: Json, values: Any = None, **definition: Any) -> Json:
    """Return the inputs of the only node, which is of a class with these inputs."""
    classes = Classes({name: {"input": {"required": required}, "output": [], **definition}})
    drawing = workflow([node(1, name, widgets_values=values)])
    found: Json = convert(drawing, catalog=classes, now=NOW)["1"]["inputs"]
    return found


def by_primitive(kind: str, options: Json, value: Any) -> Any:
    """Return what becomes of the value of a primitive node in a widget."""
    classes = Classes({"C": {"input": {"required": {"x": [kind, options]}}}})
    primitive = node(2, "PrimitiveNode", outputs=[{"links": [5]}], widgets_values=[value])
    nodes = [node(1, "C", linked("x", 5, widget=True)), primitive]
    return convert(workflow(nodes, [[5, 2, 0, 1, 0, kind]]), catalog=classes)["1"]["inputs"]["x"]


@pytest.mark.parametrize("name", ["SaveAudio", "PreviewAudio", "SaveAudioMP3", "SaveAudioOpus"])
def test_a_class_with_an_audio_player_has_a_field_for_it(name: str) -> None:
    assert one_class(name, AUDIO, ["b"]) == {"filename_prefix": "b", "audioUI": ""}


def test_the_audio_player_has_no_place_among_the_values() -> None:
    order = {"required": ["audio", "late"]}
    inputs = {"audio": [["a.wav", "b.wav"], {"audio_upload": True}], "late": ["INT"]}
    found = one_class("LoadAudio", inputs, ["b.wav", 5, None, ""], input_order=order)
    assert found == {"audio": "b.wav", "late": 5, "audioUI": ""}


@pytest.mark.parametrize("name", ["Preview3D", "SaveGLB"])
def test_a_class_with_a_viewer_of_models_has_a_field_for_it(name: str) -> None:
    inputs = {"model_file": ["STRING", {}]}
    assert one_class(name, inputs, ["m.glb", "v"]) == {"model_file": "m.glb", "image": "v"}


def test_a_choice_that_the_server_offers_has_two_fields_behind_it() -> None:
    inputs = {"file": ["COMBO", {"remote": REMOTE}], "end": ["INT"]}
    values = ["x.png", True, "refresh", 7]
    assert one_class("C", inputs, values) == {"file": "x.png", "refresh": "refresh", "end": 7}
    assert one_class("C", inputs) == {"file": "Loading...", "refresh": "refresh", "end": 0}
    silent = {**inputs, "file": ["COMBO", {"remote": {"route": "/files"}}]}
    assert one_class("C", silent, ["x.png", True, 7]) == {"file": "x.png", "end": 7}


@pytest.mark.parametrize(
    ("kind", "options", "value"),
    [
        ("INT", {}, 0),
        ("INT", {"default": 4}, 4),
        ("FLOAT", {}, 0),
        ("BOOLEAN", {}, False),
        ("STRING", {}, ""),
        ("STRING", {"default": "d"}, "d"),
        ("COMBO", {"options": ["p", "q"]}, "p"),
        ("COMBO", {"options": ["p", "q"], "default": "q"}, "q"),
        ("COMBO", {"multi_select": True, "options": ["p"]}, {"__value__": []}),
        ("COLOR", {"options": {"default": "#123456"}}, "#123456"),
        ("COLOR", {"default": "#123456"}, "#000000"),
        ("TEXTAREA", {"options": {"default": "t"}}, "t"),
        ("SPECIAL", {"widgetType": "INT"}, 0),
    ],
)
def test_a_field_without_a_value_begins_as_in_the_editor(
    kind: str, options: Json, value: Any
) -> None:
    assert one_class("C", {"x": [kind, options]}) == {"x": value}


@pytest.mark.parametrize("kind", ["IMAGE", "SPECIAL", "*"])
def test_a_socket_has_no_value(kind: str) -> None:
    assert one_class("C", {"x": [kind, {"default": 3}]}) == {}


def test_a_choice_of_nothing_is_left_out() -> None:
    assert one_class("C", {"x": [[], {}]}) == {}


@pytest.mark.parametrize("value", [True, False, 0, 1])
def test_a_switch_may_be_a_number(value: Any) -> None:
    assert one_class("C", {"x": ["BOOLEAN"]}, [value]) == {"x": value}


@pytest.mark.parametrize("name", SAVERS)
def test_the_savers_of_comfyui_fill_their_file_names_in(name: str) -> None:
    inputs = {"filename_prefix": ["STRING", {}]}
    assert one_class(name, inputs, ["%date:yyyy%"])["filename_prefix"] == "2026"


def test_others_do_not_fill_file_names_in() -> None:
    inputs = {"filename_prefix": ["STRING", {}], "x": ["STRING", {}]}
    assert one_class("Mine", inputs, ["%date:yyyy%"])["filename_prefix"] == "%date:yyyy%"
    assert one_class("SaveImage", inputs, ["a", "%date:yyyy%"])["x"] == "%date:yyyy%"


@pytest.mark.parametrize(
    ("kind", "options", "value", "result"),
    [
        ("FLOAT", {}, -5, 0),
        ("FLOAT", {}, 9999.0, 2048),
        ("FLOAT", {"min": -9.0}, -5.26, -5.3),
        ("FLOAT", {"step": 0.01}, 1.005, 1.0),
        ("FLOAT", {"step": 0.01, "round": 0.5}, 1.3, 1.5),
        ("FLOAT", {"step": 0.01, "round": 0.001}, 1.30049, 1.3),
        ("FLOAT", {"step": 1.0}, 1.3, 1.3),
        ("FLOAT", {"max": 3.0}, 7.0, 3),
        ("INT", {}, 2.5, 3),
        ("INT", {}, -2.5, -2),
        ("INT", {"step": 8, "min": 16}, 44, 48),
        ("INT", {"step": 8, "min": 4}, 44, 44),
        ("INT", {"max": 10}, 44, 10),
        ("INT", {"min": 3}, -44, 3),
        ("INT", {}, "44", "44"),
        ("STRING", {"multiline": True}, "a\r\nb\rc", "a\nb\nc"),
        ("STRING", {}, "a\r\nb", "a\r\nb"),
    ],
)
def test_a_primitive_gives_what_the_widget_can_hold(
    kind: str, options: Json, value: Any, result: Any
) -> None:
    assert by_primitive(kind, options, value) == result


@pytest.mark.parametrize(
    ("one", "other", "value", "result"),
    [
        (["INT", {"max": 50}], ["INT", {"max": 10}], 44, 10),
        (["INT", {"max": 50}], ["INT", {"min": 60}], 70, 50),
        (["INT", {"max": 50}], ["INT", {"max": 10, "display": "knob"}], 44, 44),
        (["INT", {"step": 4, "min": 0}], ["INT", {"step": 6, "min": 0}], 20, 24),
        (["INT", {"max": 50}], ["FLOAT", {"max": 10}], 44, 44),
        (["INT", {"max": 50, "default": 1}], ["INT", {"max": 10, "default": 2}], 44, 10),
    ],
)
def test_a_primitive_for_two_gives_what_both_can_hold(
    one: Json, other: Json, value: int, result: int
) -> None:
    classes = Classes(
        {"A": {"input": {"required": {"x": one}}}, "B": {"input": {"required": {"x": other}}}}
    )
    primitive = node(3, "PrimitiveNode", outputs=[{"links": [5, 6]}], widgets_values=[value])
    ends = [node(1, "A", linked("x", 5, widget=True)), node(2, "B", linked("x", 6, widget=True))]
    links = [[5, 3, 0, 1, 0, "INT"], [6, 3, 0, 2, 0, "INT"]]
    graph = convert(workflow([*ends, primitive], links), catalog=classes)
    assert graph["1"]["inputs"]["x"] == result


@pytest.mark.parametrize("kind", ["AUDIO_RECORD", "LOAD_3D", "WEBCAM", "COMFY_DYNAMICCOMBO_V3"])
def test_what_the_browser_makes_is_refused(kind: str) -> None:
    with pytest.raises(InvalidWorkflow, match="the browser makes the value of 'x'"):
        one_class("C", {"x": [kind, {}]}, [""])


def test_an_upload_from_the_usual_folder_keeps_its_name() -> None:
    inputs = {"image": [["a.png"], {"image_upload": True}]}
    assert one_class("C", inputs, ["b.png", "image"]) == {"image": "b.png"}
    folder = {"image": [["a.png"], {"image_upload": True, "image_folder": "temp"}]}
    assert one_class("C", folder, ["b.png", "image"]) == {"image": "b.png [temp]"}
    assert one_class("C", folder, ["b.png [input]", "image"]) == {"image": "b.png [input]"}
