"""What a node class looks like in the editor: its inputs, and its widgets in their order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ABSENT = object()
"""The value of a widget that has none: it is left out of the inputs."""

BROWSER_MADE = ("AUDIO_RECORD", "LOAD_3D", "WEBCAM", "COMFY_DYNAMICCOMBO_V3")
"""Types of inputs whose values, or very widgets, only exist in the browser."""

_CONTROL = "control"
_BUTTON = "button"
_WIDGETS: Mapping[str, Any] = {
    "INT": 0,
    "FLOAT": 0,
    "BOOLEAN": False,
    "STRING": "",
    "MARKDOWN": "",
    "COMBO": ABSENT,
    "COLOR": "#000000",
    "TEXTAREA": "",
    "CHART": {},
    "GALLERIA": [],
    "IMAGECOMPARE": ["", ""],
    "AUDIO_UI": "",
    "AUDIOUPLOAD": "",
    "IMAGEUPLOAD": "image",
    "PREVIEW_3D": "",
    **dict.fromkeys(BROWSER_MADE, ""),
}
"""The types that have a widget in the editor (frontend 1.32.9), with their first values."""

_NESTED = ("COLOR", "TEXTAREA")
"""The types of newer classes, whose options are one level deeper."""

_UPLOADS = ("image_upload", "video_upload", "animated_image_upload")
_SEEDS = ("seed", "noise_seed")
_WITH_PLAYER = ("LoadAudio", "SaveAudio", "PreviewAudio", "SaveAudioMP3", "SaveAudioOpus")
_WITH_VIEWER = ("Preview3D", "SaveGLB")


@dataclass(frozen=True)
class Widget:
    """A field of a node; `stored` says whether the workflow has its value, `sent` the API."""

    name: str
    type: str
    options: Mapping[str, Any] = field(default_factory=dict)
    default: Any = ""
    stored: bool = True
    sent: bool = True


@dataclass(frozen=True)
class Socket:
    """An input as the class has it; `widget` says whether it is also a field of the node."""

    name: str
    type: str
    widget: bool


@dataclass(frozen=True)
class NodeClass:
    """A class of the catalogue as the editor shows it."""

    name: str
    title: str
    sockets: tuple[Socket, ...]
    widgets: tuple[Widget, ...]
    outputs: tuple[str, ...]
    forced: tuple[tuple[bool, int], ...]
    """For each input that once was a widget: is it a socket now, and how many values it had."""

    def widget(self, name: str | None) -> Widget | None:
        """Return the widget of that name, if there is one."""
        return next((widget for widget in self.widgets if widget.name == name), None)


def node_class(name: str, definition: Mapping[str, Any]) -> NodeClass:
    """Return the class that an entry of `object_info` defines."""
    specs = dict(_specs(name, definition))
    ordered = {key: specs[key] for key in _order(specs, definition)}
    sockets = [
        Socket(key, spec.type, widget=False) for key, spec in ordered.items() if not spec.widget
    ]
    fields = [Socket(key, spec.type, widget=True) for key, spec in ordered.items() if spec.widget]
    widgets = [widget for key, spec in ordered.items() for widget in _widgets(key, spec)]
    if name == "PreviewAny":
        widgets.append(Widget("preview", "MARKDOWN", stored=False))
    title = definition.get("display_name")
    return NodeClass(
        name=name,
        title=title if isinstance(title, str) and title else name,
        sockets=(*sockets, *fields),
        widgets=tuple(widgets),
        outputs=tuple(_output_types(definition.get("output"))),
        forced=tuple(_once_widgets(specs)),
    )


@dataclass(frozen=True)
class _Spec:
    section: str
    type: str
    options: Mapping[str, Any]

    @property
    def forced(self) -> bool:
        return bool(self.options.get("forceInput"))

    @property
    def widget(self) -> bool:
        return not self.forced and str(self.options.get("widgetType", self.type)) in _WIDGETS


def _specs(name: str, definition: Mapping[str, Any]) -> Iterator[tuple[str, _Spec]]:
    """Yield the inputs as declared, with those that the editor itself adds to some classes."""
    declared = definition.get("input")
    inputs = declared if isinstance(declared, dict) else {}
    required = _section(inputs, "required")
    upload = next((s for s in required.values() if _is_upload(s)), None)
    if upload is not None:
        media = next(key for key, spec in required.items() if spec is upload)
        required["upload"] = _Spec("required", "IMAGEUPLOAD", {**upload.options, "media": media})
    audio = required.get("audio")
    if name in _WITH_PLAYER:
        required["audioUI"] = _Spec("required", "AUDIO_UI", {})
    if audio is not None and audio.options.get("audio_upload") is True:
        required["upload"] = _Spec("required", "AUDIOUPLOAD", {})
    if name in _WITH_VIEWER:
        required["image"] = _Spec("required", "PREVIEW_3D", {})
    yield from required.items()
    yield from _section(inputs, "optional").items()


def _section(inputs: Mapping[str, Any], section: str) -> dict[str, _Spec]:
    found = inputs.get(section)
    specs: dict[str, _Spec] = {}
    for key, raw in found.items() if isinstance(found, dict) else ():
        if not isinstance(raw, list | tuple) or not raw:
            continue
        options = raw[1] if len(raw) > 1 and isinstance(raw[1], dict) else {}
        if isinstance(raw[0], list):
            specs[key] = _Spec(section, "COMBO", {**options, "options": raw[0]})
        else:
            specs[key] = _Spec(section, str(raw[0]), options)
    return specs


def _is_upload(spec: _Spec) -> bool:
    return spec.type == "COMBO" and any(spec.options.get(key) is True for key in _UPLOADS)


def _order(specs: Mapping[str, _Spec], definition: Mapping[str, Any]) -> dict[str, None]:
    """Return the names as `input_order` wants them; those that it forgets come last."""
    declared = definition.get("input_order")
    order = declared if isinstance(declared, dict) else {}
    wanted = [
        key
        for section in ("required", "optional")
        for key in _texts(order.get(section))
        if key in specs and specs[key].section == section
    ]
    return dict.fromkeys([*wanted, *specs])


def _texts(raw: object) -> list[str]:
    return [item for item in raw if isinstance(item, str)] if isinstance(raw, list) else []


def _widgets(name: str, spec: _Spec) -> Iterator[Widget]:
    """Yield the widget of an input, with those that the editor puts beside it."""
    if not spec.widget:
        return
    kind = str(spec.options.get("widgetType", spec.type))
    stored, sent = kind != "AUDIO_UI", kind not in ("AUDIOUPLOAD", "IMAGEUPLOAD")
    yield Widget(name, kind, spec.options, _default(kind, spec.options), stored, sent)
    remote = spec.options.get("remote")
    if kind == "COMBO" and isinstance(remote, dict):
        yield Widget("Auto-refresh after generation", "BOOLEAN", sent=False, default=False)
        if remote.get("refresh_button"):
            yield Widget("refresh", _BUTTON, default="refresh")
    if _is_controlled(name, kind, spec.options):
        yield Widget("control_after_generate", _CONTROL, sent=False, default="randomize")
        if kind == "COMBO":
            yield Widget("control_filter_list", _CONTROL, sent=False)


def _is_controlled(name: str, kind: str, options: Mapping[str, Any]) -> bool:
    asked = options.get("control_after_generate")
    if kind == "INT":
        return bool(name in _SEEDS if asked is None else asked)
    return kind == "COMBO" and bool(asked) and not options.get("multi_select")


def _default(kind: str, options: Mapping[str, Any]) -> Any:
    """Return what the editor shows in a node that was just added."""
    if kind in _NESTED:
        nested = options.get("options")
        options = nested if isinstance(nested, Mapping) else {}
    given = options.get("default")
    if kind != "COMBO":
        return _WIDGETS[kind] if given is None else given
    if options.get("multi_select"):
        return []
    choices = options.get("options")
    if given:
        return given
    if isinstance(choices, list) and choices:
        return choices[0]
    return "Loading..." if options.get("remote") else ABSENT


def _output_types(raw: object) -> Iterator[str]:
    for item in raw if isinstance(raw, list | tuple) else ():
        yield "COMBO" if isinstance(item, list) else str(item)


def _once_widgets(specs: Mapping[str, _Spec]) -> Iterator[tuple[bool, int]]:
    for key, spec in specs.items():
        if spec.widget or spec.forced:
            controlled = spec.options.get("control_after_generate") or key in _SEEDS
            yield spec.forced, 2 if controlled else 1
