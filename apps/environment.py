"""What a deployed app's containers find in their environment, beside its secrets."""

from __future__ import annotations

from collections.abc import Mapping

from apps.app import App
from settings import SETTINGS

APP = "COMFYUI_APP"
"""Where a container finds the app: as JSON, so that it reads no file of the deployer's."""

CACHE = "/cache"
"""Where the volume is mounted; nothing else may lie there."""

MODELS = f"{CACHE}/models"
CHECKOUT = "/opt/ComfyUI"
VENV_PYTHON = f"{CHECKOUT}/venv/bin/python"

OF_ONE_MACHINE = frozenset(
    {
        *("APP_FILE", "DATA_DIR", "HOST", "PORT", "WORKERS", "WEBHOOK_WORKERS", "MODELS_DIR"),
        *("COMFYUI_DIR", "COMFYUI_PYTHON", "COMFYUI_DEVICE"),
        *("COMFYUI_API_URL", "COMFYUI_API_KEY"),
        *("R2_ENDPOINT_URL", "R2_BUCKET_NAME"),  # these come with the secret
    }
)
"""Settings that say something of the deployer's own machine, and nothing of containers."""


def container_environment(app: App, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of every container of the app, deployed from `environ`.

    What is set at deploy holds in the containers too, but for secrets, which they get from
    Modal's own, and for what concerns one machine only.
    """
    if APP in environ:  # this is a container: it says again what it was told
        return {name: environ[name] for name in _told(app) if name in environ}
    chosen = {
        setting.name: environ[setting.name].strip()
        for setting in SETTINGS
        if not setting.secret
        and setting.name not in OF_ONE_MACHINE
        and environ.get(setting.name, "").strip()
    }
    return {
        **chosen,
        **_of_app(app),
        APP: app.to_json(),
        "COMFYUI_DIR": CHECKOUT,
        "MODELS_DIR": MODELS,
    }


def _of_app(app: App) -> dict[str, str]:
    limits = app.limits
    return {
        "COMFYUI_VERSION": app.comfyui_version,
        "GPU_CONFIG": app.gpu[0],
        "GPU_MAX_CONTAINERS": str(limits.gpu_max_containers),
        "GPU_MIN_CONTAINERS": str(limits.gpu_min_containers),
        "GPU_ALLOWED": ",".join(app.allowed_gpus),
        "CPU_JOBS": str(app.cpu_jobs).lower(),
        "JOB_TIMEOUT_SECONDS": str(app.timeouts.job_seconds),
        "COMFYUI_START_TIMEOUT_SECONDS": str(app.timeouts.start_seconds),
    }


def _told(app: App) -> list[str]:
    known = {setting.name for setting in SETTINGS if not setting.secret}
    return sorted({*known, *_of_app(app), APP})
