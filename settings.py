"""Every setting of the product, read from the environment once and checked at once.

The fields of `Settings` are the single table: name, type, default, unit, help and rule of each
setting stand in one place; `SETTINGS`, `.env.example` and `manage.py settings` derive from it.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

Value = str | int | Path | None
Parse = Callable[[str], Value]


class SettingsError(ValueError):
    """Settings that cannot be used: one line for each, naming variable, value and remedy."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is known of one setting; `parse` turns its text into its value or says why not."""

    name: str
    type: str
    default: Value
    unit: str | None
    help: str
    secret: bool
    parse: Parse = dataclasses.field(repr=False)

    @property
    def attribute(self) -> str:
        """The name of the attribute of `Settings` that holds the value."""
        return self.name.lower()

    def show(self, settings: Settings) -> str:
        """Return the value in `settings` for an operator to read: a secret only as set or not."""
        value = getattr(settings, self.attribute)
        if self.secret or value is None:
            return "not set" if value is None else "set"
        return str(value)

    def complaint(self, text: str, reason: ValueError) -> str:
        """Return the line that explains why `text` is refused and what to do about it."""
        shown = "(hidden)" if self.secret else text
        default = f"use the default {self.default}" if self.default else "go without it"
        return f"{self.name}={shown}: {reason}; remove it to {default}"


def _setting(default: Value, meaning: str, parse: Parse, **facts: Any) -> Any:
    facts = {"type": "text", "unit": None, "secret": False} | facts
    metadata = {"help": meaning, "parse": parse, "default": default} | facts
    return dataclasses.field(default=default, repr=not facts["secret"], metadata=metadata)


def _number(default: int, least: int, most: int, unit: str | None, meaning: str) -> Any:
    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or not least <= int(text) <= most:
            counted = f" of {unit}" if unit else ""
            raise ValueError(f"must be a whole number{counted} from {least} to {most}")
        return int(text)

    return _setting(default, meaning, parse, type="whole number", unit=unit)


def _text(default: str | None, pattern: str, rule: str, meaning: str, **facts: Any) -> Any:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {rule}")
        return text

    return _setting(default, meaning, parse, **facts)


def _secret(meaning: str) -> Any:
    rule = "made of visible ASCII characters without spaces"
    return _text(None, r"[\x21-\x7e]+", rule, meaning, secret=True)


def _path(default: Path | None, meaning: str) -> Any:
    return _setting(default, meaning, lambda text: Path(text).expanduser(), type="path")


def _url(default: str | None, meaning: str) -> Any:
    return _setting(default, meaning, _parse_url, type="URL")


def _parse_url(text: str) -> str:
    rule = "must be an http:// or https:// address with a host and no user, query or fragment"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError as error:
        raise ValueError(rule) from error
    if not usable or re.search(r"[\s?#@]", text):
        raise ValueError(rule)
    return text.rstrip("/")


def _parse_arguments(text: str) -> str:
    try:
        shlex.split(text)
    except ValueError as error:
        raise ValueError("must be command-line flags whose quotes are closed") from error
    return text


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be configured; the attribute is the variable's name in lower case."""

    api_key: str | None = _secret("Key that clients send; made once in DATA_DIR if unset")
    r2_access_key_id: str | None = _secret("R2 access key; outputs in R2 are not there yet")
    r2_secret_access_key: str | None = _secret("R2 secret key")
    r2_endpoint_url: str | None = _url(
        None, "R2 endpoint: https://<account-id>.r2.cloudflarestorage.com"
    )
    r2_bucket_name: str | None = _text(
        None,
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "3 to 63 lower-case letters, digits, dots and hyphens",
        "R2 bucket that receives the outputs",
    )
    r2_url_ttl_seconds: int = _number(
        86400, 1, 604800, "seconds", "Lifetime of signed output URLs, in whichever bucket"
    )
    queued_timeout_seconds: int = _number(360, 1, 604800, "seconds", "Longest wait for a worker")
    max_active_jobs_per_user: int = _number(
        5, 1, 10000, "jobs", "Queued and running jobs that one user may have at a time"
    )
    job_timeout_seconds: int = _number(600, 1, 86400, "seconds", "Longest run of one job")
    gpu_config: str = _text(
        "L40S",
        r"[A-Za-z0-9][A-Za-z0-9-]*[!+]?(:[1-8])?",
        "a GPU type of Modal, with or without a count, such as L40S or H100:2",
        "GPU of each worker on Modal",
    )
    gpu_max_containers: int = _number(2, 1, 1000, "containers", "GPU workers at most")
    gpu_min_containers: int = _number(0, 0, 1000, "containers", "GPU workers always kept warm")
    gpu_buffer_containers: int = _number(0, 0, 1000, "containers", "Extra GPU workers at peaks")
    gpu_scaledown_window_seconds: int = _number(
        60, 2, 1200, "seconds", "How long an idle GPU worker stays up"
    )
    api_max_containers: int = _number(10, 1, 1000, "containers", "API containers at most")
    api_min_containers: int = _number(0, 0, 1000, "containers", "API containers always kept warm")
    data_dir: Path = _path(Path(".data"), "Everything that this machine keeps: jobs, files, keys")
    host: str = _text(
        "127.0.0.1", r"[^\s/]+", "a host name or address", "Address where `serve` listens"
    )
    port: int = _number(8000, 1, 65535, None, "TCP port where `serve` listens")
    workers: int = _number(1, 1, 64, "processes", "Worker processes, each with its own ComfyUI")
    public_url: str | None = _url(
        None, "Address under which clients reach the API; if unset, the one they asked"
    )
    comfyui_dir: Path | None = _path(
        None, "A ComfyUI checkout to use in place of the installed one"
    )
    comfyui_python: Path | None = _path(None, "The Python interpreter for COMFYUI_DIR")
    comfyui_version: str = _text(
        "0.3.75",
        r"[0-9]+\.[0-9]+\.[0-9]+",
        "a released version such as 0.3.75",
        "ComfyUI that `comfyui install` fetches",
    )
    comfyui_device: Literal["cpu", "gpu"] = _text(
        "cpu", "cpu|gpu", "cpu or gpu", "What ComfyUI computes on", type="cpu or gpu"
    )
    comfyui_arguments: str = _setting(
        "", "Further command-line flags for ComfyUI, quoted as in a shell", _parse_arguments
    )
    comfyui_start_timeout_seconds: int = _number(
        120, 1, 3600, "seconds", "How long ComfyUI may take to start"
    )
    comfyui_api_url: str = _url("http://127.0.0.1:8000", "Deployment that `submit` talks to")
    comfyui_api_key: str | None = _secret("Key that `submit` sends; API_KEY if unset")
    tick_seconds: int = _number(60, 1, 3600, "seconds", "How often waiting jobs are looked after")
    max_request_megabytes: int = _number(
        10, 1, 1024, "megabytes", "Largest request body that the API accepts"
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings in `environ`, where blank means unset; raise SettingsError."""
        given = {s.name: environ.get(s.name, "").strip() for s in SETTINGS}
        given = {name: text for name, text in given.items() if text}
        values: dict[str, Any] = {}
        problems = []
        for setting in SETTINGS:
            if setting.name not in given:
                continue
            try:
                values[setting.attribute] = setting.parse(given[setting.name])
            except ValueError as error:
                problems.append(setting.complaint(given[setting.name], error))
        settings = cls(**values)
        problems += _half_configured(given) + _crossed(settings, given, values)
        if problems:
            raise SettingsError(problems)
        return settings

    def replace(self, **changes: Any) -> Self:
        """Return a copy with `changes`, which are not checked."""
        return dataclasses.replace(self, **changes)


SETTINGS = tuple(
    Setting(name=field.name.upper(), **field.metadata) for field in dataclasses.fields(Settings)
)

_R2 = ("R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "R2_ENDPOINT_URL", "R2_BUCKET_NAME")


def _half_configured(given: Mapping[str, str]) -> list[str]:
    missing = [name for name in _R2 if name not in given]
    if len(missing) in {0, len(_R2)}:
        return []
    present = ", ".join(name for name in _R2 if name in given)
    fate = f"{present} set, {', '.join(missing)} missing"
    remedy = "set all four, or none"
    return [f"R2 is half configured: {fate}; {remedy}"]


def _crossed(
    settings: Settings, given: Mapping[str, str], parsed: Mapping[str, Value]
) -> list[str]:
    problems = []
    for pool in ("gpu", "api"):
        least, most = f"{pool}_min_containers", f"{pool}_max_containers"
        readable = all(name in parsed or name.upper() not in given for name in (least, most))
        if readable and getattr(settings, least) > getattr(settings, most):
            problems.append(
                f"{least.upper()}={getattr(settings, least)}: must not exceed "
                f"{most.upper()}={getattr(settings, most)}; lower the first or raise the second"
            )
    return problems


def load(env_file: Path | None = Path(".env")) -> Settings:
    """Return this process's settings: the environment over `env_file`; raise SettingsError."""
    kept = read_env_file(env_file) if env_file is not None and env_file.is_file() else {}
    return Settings.from_environment(kept | dict(os.environ))


_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED = re.compile(r"""("[^"]*"|'[^']*')\s*(?:#.*)?""")


def read_env_file(path: Path) -> dict[str, str]:
    """Read lines of NAME=value, quoted or not; raise SettingsError naming every other line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: cannot be read as UTF-8 text ({error})"]) from error
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        match = _LINE.fullmatch(line)
        value = _unquoted(match[2]) if match else None
        if match and value is not None:
            found[match[1]] = value
        elif line and not line.startswith("#"):
            problems.append(f"{path}, line {number}: must read NAME=value, with quotes closed")
    if problems:
        raise SettingsError(problems)
    return found


def _unquoted(text: str) -> str | None:
    if text[:1] in {"'", '"'}:
        quoted = _QUOTED.fullmatch(text)
        return quoted[1][1:-1] if quoted else None
    return re.sub(r"(^|\s)#.*", "", text).strip()


def example() -> str:
    """Return the text of `.env.example`: every setting with its help, type, unit and default."""
    blocks = ["# Copy to .env and uncomment what you change; the environment wins over this file."]
    for setting in SETTINGS:
        kind = f"{setting.type}, {setting.unit}" if setting.unit else setting.type
        default = "" if setting.default is None else setting.default
        blocks.append(f"# {setting.help} ({kind}).\n# {setting.name}={default}")
    return "\n\n".join(blocks) + "\n"
