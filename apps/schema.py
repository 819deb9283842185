"""The shape of an app file, checked all at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates_schema

from apps import rules

_SHOWN = 80
"""How much of a wrong value a message repeats, in characters."""


class Checked(fields.Field[Any]):
    """A value that one of the rules checks."""

    def __init__(self, check: rules.Check, *, missing: str | None = None) -> None:
        super().__init__(
            required=missing is not None,
            error_messages={"required": f"is missing; give {missing}"},
        )
        self._check = check

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - the signature is marshmallow's
        try:
            return self._check(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class Table(Schema):
    """A table that refuses keys it does not know, and names the nearest that it does."""

    class Meta:
        """Unknown keys come in, so that they can be refused in our words."""

        unknown = INCLUDE

    error_messages = {"type": "must be a table"}  # noqa: RUF012 - marshmallow's own way

    @validates_schema(skip_on_field_errors=False)
    def _refuse_unknown_keys(self, data: Mapping[str, Any], **_: Any) -> None:
        unknown = data.keys() - self.fields.keys()
        if unknown:
            raise ValidationError({key: [self._unknown(key)] for key in sorted(unknown)})

    def _unknown(self, key: str) -> str:
        hint = rules.near(key, self.fields) or f"; there are {', '.join(self.fields)}"
        return f"is not known here{hint}"


def _setting(name: str) -> Checked:
    return Checked(lambda value: rules.as_setting(value, name=name))


def _list(check: rules.Check) -> fields.List[Any]:
    return fields.List(Checked(check), error_messages={"invalid": 'must be a list, as in ["..."]'})


def _tables(table: type[Table], heading: str) -> fields.List[Any]:
    rule = f"must be a list of tables, each headed [[{heading}]]"
    return fields.List(fields.Nested(table), error_messages={"invalid": rule})


class ModelTable(Table):
    """One of [[models]]."""

    folder = Checked(rules.folder, missing="the folder inside models/, such as checkpoints")
    file = Checked(rules.file, missing="the file's path in its repository")
    repo = Checked(rules.repo)
    revision = Checked(rules.revision)
    url = Checked(rules.address)
    sha256 = Checked(rules.digest)

    @validates_schema(skip_on_field_errors=True)
    def _one_source(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("repo" in data) == ("url" in data):
            raise ValidationError("must have either repo, on Hugging Face, or url, elsewhere")
        if "url" in data and "revision" in data:
            raise ValidationError({"revision": ["goes with repo only; a url has sha256"]})
        if "url" in data and "/" in data["file"]:
            raise ValidationError({"file": ["must be a plain name where a url is given"]})


class CustomNodeTable(Table):
    """One of [[custom_nodes]]."""

    url = Checked(rules.node_url, missing="the https:// address of the Git repository")
    commit = Checked(rules.commit, missing="the commit (git ls-remote <url> prints them)")
    pip = _list(rules.pinned)


class LimitsTable(Table):
    """The table [limits]."""

    gpu_max_containers = _setting("GPU_MAX_CONTAINERS")
    gpu_min_containers = _setting("GPU_MIN_CONTAINERS")
    gpu_buffer_containers = _setting("GPU_BUFFER_CONTAINERS")
    gpu_scaledown_window_seconds = _setting("GPU_SCALEDOWN_WINDOW_SECONDS")
    api_max_containers = _setting("API_MAX_CONTAINERS")
    api_min_containers = _setting("API_MIN_CONTAINERS")


class TimeoutsTable(Table):
    """The table [timeouts]."""

    job_seconds = Checked(rules.job_seconds)
    start_seconds = Checked(rules.start_seconds)


class SecretsTable(Table):
    """The table [secrets]."""

    api = Checked(rules.object_name)
    r2 = Checked(rules.object_name)


class AppTable(Table):
    """A whole app file."""

    name = Checked(rules.name, missing='what the app is called on Modal, such as "my-app"')
    comfyui_version = _setting("COMFYUI_VERSION")
    gpu = _list(rules.gpu)
    allowed_gpus = _list(rules.gpu)
    models = _tables(ModelTable, "models")
    custom_nodes = _tables(CustomNodeTable, "custom_nodes")
    volume = Checked(rules.object_name)
    snapshot = Checked(rules.snapshot)
    limits = fields.Nested(LimitsTable)
    timeouts = fields.Nested(TimeoutsTable)
    warm = _list(rules.model_path)
    warm_up = Checked(rules.workflow)
    cpu_jobs = Checked(rules.flag)
    prices = fields.Dict(
        keys=Checked(rules.price_name),
        values=Checked(rules.price),
        error_messages={"invalid": "must be a table"},
    )
    secrets = fields.Nested(SecretsTable)

    @validates_schema(skip_on_field_errors=False)
    def _some_gpu(self, data: Mapping[str, Any], **_: Any) -> None:
        if data.get("gpu") == []:
            raise ValidationError({"gpu": ["must name at least one GPU, the preferred one first"]})


def check(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what is valid in a document, and a line for each thing that is not."""
    try:
        return dict(AppTable().load(document)), []
    except ValidationError as error:
        lines = [
            f"{_place(path)}{_shown(document, path)}: {message}"
            for path, message in _leaves(error.messages, ())
        ]
        return dict(error.valid_data), lines  # type: ignore[arg-type]  # a table has a dict


def _leaves(messages: Any, path: tuple[str | int, ...]) -> Iterator[tuple[Any, str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            of_a_price = path[:1] == ("prices",) and len(path) == 2  # marshmallow says which half
            yield from _leaves(inner, path if key == "_schema" or of_a_price else (*path, key))
        return
    yield from ((path, message) for message in messages)


def _place(path: tuple[str | int, ...]) -> str:
    written = ""
    for step in path:
        bare = isinstance(step, int) or re.fullmatch(r"[A-Za-z0-9_!+-]+", step)
        written += (
            f"[{step}]" if isinstance(step, int) else f".{step if bare else json.dumps(step)}"
        )
    return written.removeprefix(".") or "the file"


def _shown(document: Any, path: tuple[str | int, ...]) -> str:
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return ""
    if isinstance(document, dict) or (isinstance(document, list) and document):
        return ""
    written = json.dumps(document, default=str, ensure_ascii=False)
    return f" = {written if len(written) <= _SHOWN else written[:_SHOWN] + '...'}"
