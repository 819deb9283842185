"""What one ComfyUI offers, nodes and models, as a value that travels to where there is none."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, Self

from comfy_runner.signatures import Signature, Told, signature

ALL_INPUTS = "*"
ITS_OWN_AFFAIR = (ALL_INPUTS, "input_types")
"""What is assumed of a class of which nobody has told: nothing of it is judged in its place."""

CORE_CHECKS = {
    "LoadAudio": ("audio",),
    "LoadImage": ("image",),
    "LoadImageMask": ("image",),
    "LoadImageOutput": ("image",),
    "LoadLatent": ("latent",),
    "LoadVideo": ("file",),
    "WebcamCapture": ("image",),
}
"""The core classes that check inputs themselves, for a ComfyUI without our companion."""


class Source(Protocol):
    """The part of `ComfyClient` that a catalogue is read through."""

    def object_info(self) -> dict[str, Any]:
        """Return every node class with its inputs and outputs."""

    def model_folders(self) -> tuple[str, ...]:
        """Return the names of the folders that models lie in."""

    def models(self, folder: str) -> tuple[str, ...]:
        """Return the model files in one folder."""

    def companion(self, question: str) -> dict[str, Any] | None:
        """Return what our companion node tells; None if it is not loaded."""

    def system_stats(self) -> dict[str, Any]:
        """Return versions, devices and memory."""


@dataclass(frozen=True)
class Catalog:
    """The nodes and models of one ComfyUI, and how it judges a workflow. Compared by content.

    `nodes` is the answer of `/object_info`, `models` names the files of each model folder.
    `validators` names the inputs that a class checks itself (`*` for all of them; `input_types`
    among them says that it checks its links). `typing` is what our companion tells of types
    that JSON does not show; without it, what is in doubt is taken for right.
    """

    nodes: Mapping[str, Any]
    models: Mapping[str, Sequence[str]] = field(default_factory=dict)
    validators: Mapping[str, Sequence[str]] = field(default_factory=dict)
    comfyui_version: str | None = None
    typing: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # no field of the value, so neither compared nor sent
        object.__setattr__(self, "_signatures", {})

    def to_bytes(self) -> bytes:
        """Return it compressed, the same bytes for the same content (and the same zlib)."""
        return gzip.compress(self._canonical, mtime=0)

    @classmethod
    def from_bytes(cls, packed: bytes) -> Self:
        """Return what `to_bytes` packed.

        Raises:
            ValueError: these are the bytes of something else.
        """
        try:
            told = json.loads(gzip.decompress(packed))
            return cls(**told)
        except (OSError, EOFError, ValueError, TypeError) as error:
            raise ValueError(f"{len(packed)} bytes that are no catalogue") from error

    @cached_property
    def digest(self) -> str:
        """A name for this content: SHA-256 in hexadecimal."""
        return hashlib.sha256(self._canonical).hexdigest()

    @property
    def stars_fit_all(self) -> bool:
        """Whether the plain type `*` links to every type."""
        return bool(self._rules.get("star", True))

    def signature(self, class_name: str) -> Signature | None:
        """Return what a class takes and gives; None if there is no such class."""
        known: dict[str, Signature] = self.__dict__["_signatures"]
        if class_name not in known:
            info = self.nodes.get(class_name)
            if info is None:
                return None
            known[class_name] = signature(class_name, info, self._told(class_name))
        return known[class_name]

    @property
    def _rules(self) -> Mapping[str, Any]:
        rules: Mapping[str, Any] = self.typing.get("rules", {})
        return rules

    def _told(self, class_name: str) -> Told:
        return Told(
            parameters=frozenset(self.validators.get(class_name, ())),
            types=self.typing.get("classes", {}).get(class_name, {}),
            models=self.models,
            combos=bool(self._rules.get("choices", False)),
        )

    @cached_property
    def _canonical(self) -> bytes:
        content = {
            "nodes": self.nodes,
            "models": self.models,
            "validators": self.validators,
            "comfyui_version": self.comfyui_version,
            "typing": self.typing,
        }
        # keys stay in their order: that of a node's inputs is the one in which they are told
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def capture(client: Source) -> Catalog:
    """Read the catalogue of the ComfyUI behind `client`.

    Raises:
        ComfyUnavailable: it does not answer, or answers nonsense.
    """
    nodes = client.object_info()
    validators = client.companion("validators")
    version = (client.system_stats().get("system") or {}).get("comfyui_version")
    return Catalog(
        nodes=nodes,
        models={folder: list(client.models(folder)) for folder in client.model_folders()},
        validators=_guessed(nodes) if validators is None else validators,
        comfyui_version=version,
        typing=client.companion("typing") or {},
    )


def _guessed(nodes: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """Return which classes check themselves as far as that is known without our companion."""
    packs = {name: list(ITS_OWN_AFFAIR) for name, info in nodes.items() if _is_of_a_pack(info)}
    return {**packs, **{name: list(own) for name, own in CORE_CHECKS.items() if name in nodes}}


def _is_of_a_pack(info: Any) -> bool:
    module = info.get("python_module") if isinstance(info, dict) else None
    return str(module).startswith("custom_nodes")
