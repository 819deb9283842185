"""Every setting of the product, read from the environment once and checked at once.

The fields of `Settings` are the single table: name, type, default, unit, help and rule of each
setting stand in one place; `SETTINGS`, `.env.example` and `manage.py settings` derive from it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from settings import kinds
from settings.env_file import read_env_file
from settings.errors import SettingsError
from settings.kinds import Setting, Value

__all__ = [
    "SETTINGS",
    "Setting",
    "Settings",
    "SettingsError",
    "environment",
    "example",
    "load",
    "read_env_file",
]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be configured; the attribute is the variable's name in lower case."""

    api_key: str | None = kinds.secret("Key that clients send; made once in DATA_DIR if unset")
    r2_access_key_id: str | None = kinds.secret("R2 access key: files then live in R2")
    r2_secret_access_key: str | None = kinds.secret("R2 secret key")
    r2_endpoint_url: str | None = kinds.url(
        None, "R2 endpoint: https://<account-id>.r2.cloudflarestorage.com"
    )
    r2_bucket_name: str | None = kinds.text(
        None,
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "3 to 63 lower-case letters, digits, dots and hyphens",
        "R2 bucket that holds the files",
    )
    r2_region: str = kinds.text(
        "auto", r"[a-z0-9-]{1,32}", "a region", "Region of the bucket; only R2 has `auto`"
    )
    r2_url_ttl_seconds: int = kinds.number(
        86400, 1, 604800, "seconds", "Lifetime of signed URLs, in R2 or not"
    )
    queued_timeout_seconds: int = kinds.number(
        360, 1, 604800, "seconds", "Longest wait for a worker"
    )
    max_active_jobs_per_user: int = kinds.number(
        5, 1, 10000, "jobs", "Queued and running jobs that one user may have at a time"
    )
    job_timeout_seconds: int = kinds.number(600, 1, 86400, "seconds", "Longest run of one job")
    app_file: Path = kinds.path(
        Path("apps/default.toml"), "The app that commands deploy on Modal and look after there"
    )
    gpu_config: str = kinds.text(
        "L40S",
        r"[A-Za-z0-9][A-Za-z0-9-]*[!+]?(:[1-8])?",
        "a GPU type of Modal, with or without a count, such as L40S or H100:2",
        "GPU of each worker on Modal",
    )
    gpu_allowed: tuple[str, ...] = kinds.listed(
        r"[A-Za-z0-9][A-Za-z0-9-]*[!+]?(:[1-8])?",
        "GPU types",
        "Further GPU types of Modal that a job may ask for, such as H100,A100-80GB",
    )
    cpu_jobs: bool = kinds.flag(
        "Whether jobs that need no GPU run on workers without one, on Modal"
    )
    gpu_max_containers: int = kinds.number(2, 1, 1000, "containers", "GPU workers at most")
    gpu_min_containers: int = kinds.number(
        0, 0, 1000, "containers", "GPU workers always kept warm"
    )
    gpu_buffer_containers: int = kinds.number(
        0, 0, 1000, "containers", "Extra GPU workers at peaks"
    )
    gpu_scaledown_window_seconds: int = kinds.number(
        60, 2, 1200, "seconds", "How long an idle GPU worker stays up"
    )
    api_max_containers: int = kinds.number(10, 1, 1000, "containers", "API containers at most")
    api_min_containers: int = kinds.number(
        1, 0, 1000, "containers", "API containers always kept warm"
    )
    data_dir: Path = kinds.path(
        Path(".data"), "Everything that this machine keeps: jobs, files, keys"
    )
    models_dir: Path | None = kinds.path(
        None, "Where `models pull` puts models and ComfyUI finds them; DATA_DIR/models if unset"
    )
    hf_token: str | None = kinds.secret("Hugging Face token, for gated and private models")
    host: str = kinds.text(
        "127.0.0.1", r"[^\s/]+", "a host name or address", "Address where `serve` listens"
    )
    port: int = kinds.number(8000, 1, 65535, None, "TCP port where `serve` listens")
    workers: int = kinds.number(
        1, 1, 64, "processes", "Worker processes, each with its own ComfyUI"
    )
    public_url: str | None = kinds.url(
        None, "Address under which clients reach the API; if unset, the one they asked"
    )
    comfyui_dir: Path | None = kinds.path(
        None, "A ComfyUI checkout to use in place of the installed one"
    )
    comfyui_python: Path | None = kinds.path(None, "The Python interpreter for COMFYUI_DIR")
    comfyui_version: str = kinds.text(
        "0.3.75",
        r"[0-9]+\.[0-9]+\.[0-9]+",
        "a released version such as 0.3.75",
        "ComfyUI that `comfyui install` fetches",
    )
    comfyui_device: Literal["cpu", "gpu"] = kinds.text(
        "cpu", "cpu|gpu", "cpu or gpu", "What ComfyUI computes on", type="cpu or gpu"
    )
    comfyui_arguments: str = kinds.setting(
        "", "Further command-line flags for ComfyUI, quoted as in a shell", kinds.parse_arguments
    )
    comfyui_start_timeout_seconds: int = kinds.number(
        120, 1, 3600, "seconds", "How long ComfyUI may take to start"
    )
    comfyui_api_url: str = kinds.url("http://127.0.0.1:8000", "Deployment that `submit` talks to")
    comfyui_api_key: str | None = kinds.secret("Key that `submit` sends; API_KEY if unset")
    comfyui_metadata: Literal["strip", "keep"] = kinds.text(
        "strip",
        "strip|keep",
        "strip or keep",
        "Whether ComfyUI writes the workflow, prompts and all, into the files it saves",
        type="strip or keep",
    )
    tick_seconds: int = kinds.number(
        60, 1, 3600, "seconds", "How often waiting jobs are looked after"
    )
    max_request_megabytes: int = kinds.number(
        100, 1, 1024, "megabytes", "Largest request body that the API accepts"
    )
    rate_limit_per_minute: int = kinds.number(
        0,
        0,
        10000,
        "requests",
        "Requests that each key may send in a minute; 0: as many as it likes",
    )
    max_queued_jobs: int = kinds.number(
        1000, 1, 100000, "jobs", "Waiting jobs from which on further ones are refused"
    )
    max_streams: int = kinds.number(
        256, 1, 2000, "requests", "Event streams and waiting requests open at a time"
    )
    max_streams_per_key: int = kinds.number(
        100, 1, 2000, "requests", "Event streams and waiting requests that one key may have open"
    )
    media_max_files: int = kinds.number(10, 1, 100, "files", "Input files that one job may have")
    media_max_megabytes: int = kinds.number(50, 1, 1024, "megabytes", "Largest input file")
    media_fetch_seconds: int = kinds.number(
        60, 1, 3600, "seconds", "Longest download of one input file"
    )
    outbound_allow: tuple[str, ...] = kinds.networks(
        "Private networks that media and webhook URLs may reach, such as 10.1.0.0/16"
    )

    webhook_secret: str | None = kinds.webhook_secrets(
        "Secrets that sign webhooks, each whsec_ and base64, parted by blanks or commas: all of "
        "them sign; made once in DATA_DIR if unset"
    )
    webhook_workers: int = kinds.number(1, 1, 64, "processes", "Processes that send webhooks")
    log_level: Literal["debug", "info", "warning", "error"] = kinds.text(
        "info",
        "debug|info|warning|error",
        "debug, info, warning or error",
        "Least important lines of this program's own that are logged",
        type="debug, info, warning or error",
    )
    log_format: Literal["text", "json"] = kinds.text(
        "text", "text|json", "text or json", "What log lines are", type="text or json"
    )
    metrics_public: bool = kinds.flag("Whether /metrics is told without a key")
    ready_max_queued: int = kinds.number(
        1000, 1, 100000, "jobs", "Waiting jobs above which /ready answers 503"
    )
    cors_origins: tuple[str, ...] = kinds.origins(
        "Web pages that may call the API from a browser, such as https://app.example.com"
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

    @property
    def models_place(self) -> Path:
        """Where models are: MODELS_DIR, or else the folder `models` of DATA_DIR."""
        return self.models_dir or self.data_dir / "models"

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
    return Settings.from_environment(environment(env_file))


def environment(env_file: Path | None = Path(".env")) -> dict[str, str]:
    """Return this process's environment over what `env_file` says, unread."""
    kept = read_env_file(env_file) if env_file is not None and env_file.is_file() else {}
    return kept | dict(os.environ)


def example() -> str:
    """Return the text of `.env.example`: every setting with its help, type, unit and default."""
    blocks = ["# Copy to .env and uncomment what you change; the environment wins over this file."]
    for setting in SETTINGS:
        kind = f"{setting.type}, {setting.unit}" if setting.unit else setting.type
        default = setting.written(setting.default)
        blocks.append(f"# {setting.help} ({kind}).\n# {setting.name}={default}")
    return "\n\n".join(blocks) + "\n"
