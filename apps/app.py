"""An app: one deployment on Modal, as its file describes it and as its containers know it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from apps import rules
from apps.contradictions import contradictions
from apps.errors import AppError
from settings import Settings

Snapshot = Literal["off", "cpu", "gpu"]

_DEFAULTS = Settings()


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model file, in a repository of Hugging Face or at an address."""

    folder: str
    """Where it goes inside ComfyUI's models folder."""
    file: str
    """Its path in the repository."""
    repo: str | None = None
    revision: str | None = None
    url: str | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The file's own name, as ComfyUI lists it: folders of the repository are left out."""
        return self.file.rpartition("/")[2]

    @property
    def path(self) -> str:
        """Where it lies, inside the models folder."""
        return f"{self.folder}/{self.name}"

    @property
    def pinned(self) -> bool:
        """Whether its content cannot change: it has a commit or a checksum."""
        commit = self.revision is not None and re.fullmatch(r"[0-9a-f]{40}", self.revision)
        return bool(commit) or self.sha256 is not None


@dataclass(frozen=True, kw_only=True)
class CustomNode:
    """A repository of custom nodes at one commit."""

    url: str
    commit: str
    pip: tuple[str, ...] = ()
    """Packages that it needs beyond its own requirements.txt, each at one version."""

    @property
    def name(self) -> str:
        """The folder that it gets in custom_nodes."""
        return self.url.rpartition("/")[2].removesuffix(".git")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many containers there may be, and how long an idle one stays, in seconds."""

    gpu_max_containers: int = _DEFAULTS.gpu_max_containers
    gpu_min_containers: int = _DEFAULTS.gpu_min_containers
    gpu_buffer_containers: int = _DEFAULTS.gpu_buffer_containers
    gpu_scaledown_window_seconds: int = _DEFAULTS.gpu_scaledown_window_seconds
    api_max_containers: int = _DEFAULTS.api_max_containers
    api_min_containers: int = _DEFAULTS.api_min_containers


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """How long one job may run, and how long a worker may take to start, in seconds."""

    job_seconds: int = _DEFAULTS.job_timeout_seconds
    start_seconds: int = 600


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The names of the app's secrets on Modal."""

    api: str = "comfyui-api-secret"
    r2: str = "comfyui-r2"


OVERRIDES: Mapping[str, tuple[str, ...]] = {
    "GPU_CONFIG": ("gpu",),
    "COMFYUI_VERSION": ("comfyui_version",),
    "JOB_TIMEOUT_SECONDS": ("timeouts", "job_seconds"),
} | {each.name.upper(): ("limits", each.name) for each in dataclasses.fields(Limits)}
"""The settings that win over the file, and the place of each in it."""


@dataclass(frozen=True, kw_only=True)
class App:
    """Everything that sets one deployment apart from another."""

    name: str
    comfyui_version: str = _DEFAULTS.comfyui_version
    gpu: tuple[str, ...] = (_DEFAULTS.gpu_config,)
    """GPUs that a worker may get, the one preferred first."""
    allowed_gpus: tuple[str, ...] = ()
    """Other GPUs that a job may ask for."""
    models: tuple[Model, ...] = ()
    custom_nodes: tuple[CustomNode, ...] = ()
    volume: str = "comfyui-models-cache"
    snapshot: Snapshot = "cpu"
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    warm: tuple[str, ...] = ()
    """Paths of models (`Model.path`) to read ahead before the first job."""
    warm_up: str | None = None
    """A named workflow to run once after each wake."""
    cpu_jobs: bool = False
    """Whether jobs that need no GPU may run on workers without one."""
    prices: Mapping[str, float] = field(default_factory=dict, hash=False)
    """US dollars per second of each GPU type, and of one CPU core as `CPU`."""
    secrets: Secrets = Secrets()

    def with_environment(self, environ: Mapping[str, str]) -> Self:
        """Return the app with what `environ` sets in its place; raise AppError.

        Only names in OVERRIDES count, and only when they are set and not blank.
        """
        document = dataclasses.asdict(self)
        problems = []
        for name, place in OVERRIDES.items():
            given = environ.get(name, "").strip()
            try:
                if given:
                    _put(document, place, _override(name, given))
            except ValueError as error:
                where = ".".join(place)
                problems.append(f"{name}={given}: {error}; unset it to use the file's {where}")
        problems += contradictions(document)
        if problems:
            raise AppError(f"The app {self.name} with this environment", problems)
        return self.from_document(document)

    def price_of(self, gpu: str) -> float | None:
        """Return US dollars per second of a GPU such as H100:2, or of a core of `CPU`.

        None means that the file names no price for it.
        """
        kind, _, count = gpu.partition(":")
        each = self.prices.get(kind, self.prices.get(kind.rstrip("!+")))
        return None if each is None else each * int(count or 1)

    def to_json(self) -> str:
        """Return the app as JSON, for the environment of its containers."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the app in what `to_json` wrote; raise AppError if it has another shape.

        Its values are not checked again: who deployed it did, and containers lack the checks.
        """
        try:
            return cls.from_document(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            problem = f"it is not what this version writes ({error}); deploy again"
            raise AppError("The app in COMFYUI_APP", [problem]) from error

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the app in a checked document, in the shape of the file."""
        given: dict[str, Any] = dict(document)
        for name in ("gpu", "allowed_gpus", "warm"):
            if name in given:
                given[name] = tuple(given[name])
        for name, kind in (("limits", Limits), ("timeouts", Timeouts), ("secrets", Secrets)):
            given[name] = kind(**given.get(name, {}))
        given["models"] = tuple(Model(**each) for each in given.get("models", ()))
        given["custom_nodes"] = tuple(
            CustomNode(**{**each, "pip": tuple(each.get("pip", ()))})
            for each in given.get("custom_nodes", ())
        )
        return cls(**given)


def _override(name: str, given: str) -> Any:
    if name == "GPU_CONFIG":
        return [rules.gpu(given)]
    value = rules.parsed(given, name=name)
    return rules.job_seconds(value) if name == "JOB_TIMEOUT_SECONDS" else value


def _put(document: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    *tables, last = place
    for table in tables:
        document = document[table]
    document[last] = value
