"""What one node class takes and gives, read once out of ComfyUI's `/object_info`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

UPLOADS = frozenset(
    f"{kind}_upload" for kind in ("image", "audio", "video", "file", "animated_image")
)
"""Options that mark an input which names a file of ComfyUI's input folder."""

LOADERS = {("LoadLatent", "latent"), ("WebcamCapture", "image")}
"""Core nodes whose input names such a file without being marked."""

MODEL_SUFFIXES = (".safetensors", ".sft", ".ckpt", ".pt", ".pt2", ".pth", ".bin", ".gguf", ".onnx")

FOLDERS = {
    "audio_encoder_name": "audio_encoders",
    "ckpt_name": "checkpoints",
    "clip_vision": "clip_vision",
    "config_name": "configs",
    "control_net_name": "controlnet",
    "gligen_name": "gligen",
    "hypernetwork_name": "hypernetworks",
    "lora_name": "loras",
    "photomaker_model_name": "photomaker",
    "style_model_name": "style_models",
    "unet_name": "diffusion_models",
    "vae_name": "vae",
    "clip_name": "text_encoders",
}
"""The folder that an input's name tells, where its choices do not (there may be none at all)."""

CLASS_FOLDERS = {
    "CLIPVisionLoader": "clip_vision",
    "LatentUpscaleModelLoader": "latent_upscale_models",
    "ModelPatchLoader": "model_patches",
    "UpscaleModelLoader": "upscale_models",
}

ANY, STAR, TUPLE = "any", "star", "tuple"
"""What our companion tells of a type beyond its JSON form; see its `typing`."""

_MATCHING = "COMFY_MATCHTYPE_V3"
_DYNAMIC = "COMFY_"


@dataclass(frozen=True, slots=True)
class Type:
    """The type of an input or output; `kind` is `any`, `star`, `tuple` or None."""

    name: Any
    kind: str | None = None

    @classmethod
    def of(cls, name: Any, told: str | None) -> Type:
        """Return the type that `/object_info` and our companion tell together."""
        return cls(name, ANY if name == _MATCHING else told)

    @property
    def words(self) -> str:
        """The type as a person would name it."""
        return self.name if isinstance(self.name, str) else "a choice from a list"


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a class.

    `choices` are those that ComfyUI holds a value to, None if any will do; `low` and `high` are
    the ends of its range as the class gave them. `files` are the names it may have of files
    in the input folder, None if it does not name one; `folder` is where its models lie. `own` says
    that the class checks the value itself.
    """

    name: str
    type: Type
    required: bool
    own: bool
    limits: Mapping[str, Any]
    choices: Sequence[Any] | None
    files: frozenset[Any] | None
    folder: str | None


@dataclass(frozen=True, slots=True)
class Signature:
    """One node class.

    `broken` names inputs that the class declares in a way that ComfyUI stumbles over. Links are
    not compared when `checks_links`, and there is an output at every slot when `endless`.
    """

    name: str
    fields: tuple[Field, ...]
    broken: tuple[str, ...]
    outputs: tuple[Type, ...]
    is_output: bool
    checks_links: bool
    endless: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of classes beyond `/object_info`: whatever our companion has told."""

    parameters: Collection[str]
    types: Mapping[str, Any]
    models: Mapping[str, Sequence[str]]
    combos: bool


def signature(name: str, info: Mapping[str, Any], told: Told) -> Signature:
    """Return the signature of class `name` from its entry in `/object_info`."""
    fields, broken = [], []
    for key, spec, required in _declared(info):
        if _is_broken(spec):
            broken.append(key)
        elif not _is_dynamic(spec[0]):
            fields.append(_field(name, key, spec, required=required, told=told))
    kinds = told.types.get("outputs", {})
    outputs = info.get("output") or ()
    return Signature(
        name=name,
        fields=tuple(fields),
        broken=tuple(broken),
        outputs=tuple(Type.of(each, kinds.get(str(n))) for n, each in enumerate(outputs)),
        is_output=info.get("output_node") is True,
        checks_links="input_types" in told.parameters,
        endless=bool(told.types.get("endless")),
    )


def _declared(info: Mapping[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """Yield name, declaration and whether it is required; of two of a name the required one."""
    groups = info.get("input") or {}
    required = groups.get("required") or {}
    for key, spec in required.items():
        yield key, spec, True
    for key, spec in (groups.get("optional") or {}).items():
        if key not in required:
            yield key, spec, False


def _is_broken(spec: Any) -> bool:
    if not isinstance(spec, list | str) or not spec:
        return True
    return len(spec) > 1 and spec[1] is None


def _is_dynamic(type_name: Any) -> bool:
    """Whether newer versions make inputs of other names out of it: it is not judged."""
    return isinstance(type_name, str) and type_name.startswith(_DYNAMIC) and type_name != _MATCHING


def _field(class_name: str, key: str, spec: Any, *, required: bool, told: Told) -> Field:
    type_ = Type.of(spec[0], told.types.get("inputs", {}).get(key))
    options = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
    offered = _offered(type_, options)
    own = key in told.parameters or "*" in told.parameters
    return Field(
        name=key,
        type=type_,
        required=required,
        own=own,
        limits={end: options[end] for end in ("min", "max") if end in options},
        choices=_choices(type_, options, combos=told.combos),
        files=frozenset(offered) if own and _names_file(class_name, key, options) else None,
        folder=_folder(class_name, key, offered, told.models),
    )


def _offered(type_: Type, options: Mapping[str, Any]) -> list[Any]:
    offered = type_.name if isinstance(type_.name, list) else options.get("options")
    return offered if isinstance(offered, list) else []


def _choices(type_: Type, options: Mapping[str, Any], *, combos: bool) -> Sequence[Any] | None:
    if isinstance(type_.name, list):
        return None if type_.kind == TUPLE else type_.name
    if type_.name != "COMBO" or not combos or options.get("remote") or options.get("multiselect"):
        return None
    return _offered(type_, options)


def _names_file(class_name: str, key: str, options: Mapping[str, Any]) -> bool:
    return (class_name, key) in LOADERS or any(options.get(mark) for mark in UPLOADS)


def _folder(
    class_name: str, key: str, offered: Sequence[Any], models: Mapping[str, Sequence[str]]
) -> str | None:
    """Return the model folder that the choices come from; None if they are no models."""
    told = CLASS_FOLDERS.get(class_name) or FOLDERS.get(key.rstrip("0123456789"))
    names = {name for name in offered if isinstance(name, str)}
    holding = [folder for folder, files in models.items() if files and names.issuperset(files)]
    if told in holding or not holding:
        return told if told in models else None
    return min(holding, key=lambda folder: (len(names) - len(models[folder]), folder))


def is_model_file(value: Any) -> bool:
    """Whether a value looks like the name of a model file."""
    return isinstance(value, str) and value.lower().endswith(MODEL_SUFFIXES)


def fits(given: Type, wanted: Type, *, star: bool) -> bool:
    """Whether ComfyUI takes an output of type `given` for an input of type `wanted`.

    `star`: whether this version lets the plain type `*` stand for every other, as those from
    2026 on do; they also let any list of choices into a `COMBO`.
    """
    kinds, names = {given.kind, wanted.kind}, (given.name, wanted.name)
    if ANY in kinds:
        return True
    if TUPLE in kinds:
        return given == wanted
    if given.name == wanted.name:
        return True
    if "*" in names and (star or STAR in kinds):
        return True
    if isinstance(given.name, str) and isinstance(wanted.name, str):
        ours, theirs = _parts(given.name), _parts(wanted.name)
        return bool(ours & theirs) or (star and "*" in ours | theirs)
    return star and isinstance(given.name, list) and wanted.name == "COMBO"


def _parts(name: str) -> frozenset[str]:
    return frozenset(part.strip() for part in name.split(","))
