"""The product on Modal, put together: images, volume, secrets, functions and classes of one app.

`modal deploy modal_app.py` deploys the app that APP_FILE describes; `python manage.py deploy` does
the same and says what comes next. Every container imports this module, and finds in COMFYUI_APP
what it was deployed as. What each function does is imported where it does it.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import modal

import apps
import settings
import workflows
from apps import App
from apps.environment import APP, CACHE, CHECKOUT, MODELS, VENV_PYTHON, container_environment
from comfy_runner.image import SYSTEM_PACKAGES, check_command, comfyui_commands
from comfy_runner.nodes import build_commands
from comfy_runner.work import Work
from commands import logs
from tasks import maintenance, models_wanted, on_modal
from tasks.framework.backends.modal import function_name
from tasks.framework.schedule import Cron, Period
from tasks.framework.task import registry

if TYPE_CHECKING:
    from collections.abc import Awaitable

PYTHON = "3.11"
PACKAGES = (
    *("apispec", "av", "blinker", "boto3", "click", "flask", "flask-swagger-ui"),
    *("huggingface-hub", "limits", "marshmallow", "pillow", "prometheus-client", "requests"),
    *("rich", "tenacity", "tzdata", "urllib3", "waitress", "websocket-client"),
)
SOURCES = ("apps", "commands", "comfy_runner", "settings", "tasks", "web", "workflows")
REQUESTS = 100
"""How many requests one web container answers at a time, each in a thread of its own."""

GRACE_SECONDS = 120
"""What a run may take beyond a job's own time: waiting for a lost attempt, and cleaning up."""


def _app_of(environ: dict[str, str]) -> App:
    """Return the app that is deployed or, in a container, the one that was."""
    if APP in environ:
        return App.from_json(environ[APP])
    file = environ.get("APP_FILE", "").strip() or apps.DEFAULT
    return apps.load(file).with_environment(environ)


ENVIRON = settings.environment()
APPLICATION = _app_of(ENVIRON)
ENVIRONMENT: dict[str, str | None] = {**container_environment(APPLICATION, ENVIRON)}
app = modal.App(APPLICATION.name)
volume = modal.Volume.from_name(APPLICATION.volume, create_if_missing=True)
api_secret = modal.Secret.from_name(APPLICATION.secrets.api, required_keys=["API_KEY"])
r2_secret = modal.Secret.from_name(
    APPLICATION.secrets.r2,
    required_keys=[
        *("R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "R2_ENDPOINT_URL", "R2_BUCKET_NAME")
    ],
)
hub_secret = modal.Secret.from_dict({"HF_TOKEN": ENVIRON.get("HF_TOKEN")})
"""For gated repositories only; what is None is left out."""


def _with_sources(image: modal.Image, *more: str) -> modal.Image:
    """Add what changes most, last and not copied: it costs a deploy no build."""
    return image.add_local_python_source(*SOURCES, *more, ignore=["**/__pycache__", "**/*.pyc"])


_pinned = [f"{name}=={importlib.metadata.version(name)}" for name in PACKAGES]
_python = modal.Image.debian_slim(PYTHON)
light_image = _with_sources(_python.uv_pip_install(*_pinned))
_comfy = (
    _python.apt_install(*SYSTEM_PACKAGES)
    .uv_pip_install(*_pinned)
    .run_commands(*comfyui_commands(APPLICATION.comfyui_version, CHECKOUT))
)
_nodes = APPLICATION.custom_nodes
_checked = (
    _comfy.run_commands(
        *build_commands(_nodes, directory=f"{CHECKOUT}/custom_nodes", python=VENV_PYTHON)
    )
    .add_local_python_source("comfy_runner", copy=True)
    .run_commands(check_command(CHECKOUT, VENV_PYTHON, _nodes))
)
"""A custom node that does not import fails the build, and so the deploy, by its name."""

comfy_image = _with_sources(_checked, "memory_snapshot_helper")


def _log() -> None:
    logs.start(settings.load(None))


def _handles() -> dict[str, Any]:
    return HANDLES


# -- the API ---------------------------------------------------------------------------------


@app.function(
    name="api",
    image=light_image,
    env=ENVIRONMENT,
    secrets=[api_secret, r2_secret],
    min_containers=APPLICATION.limits.api_min_containers,
    max_containers=APPLICATION.limits.api_max_containers,
    scaledown_window=300,
    timeout=600,
)
@modal.concurrent(max_inputs=REQUESTS)
@modal.asgi_app()
def api() -> Callable[..., Awaitable[None]]:
    """Serve the API, at https://<workspace>--<app>-api.modal.run."""
    from web.on_modal import application  # noqa: PLC0415 - only this container needs all of it

    _log()
    return application(APPLICATION, threads=REQUESTS, hydrated=HANDLES)


# -- workers ---------------------------------------------------------------------------------

WARM_UP = Work(workflows.filled(APPLICATION.warm_up, {})) if APPLICATION.warm_up else None
"""What a worker runs before its first job; a name that is unknown fails the deploy."""


class _Comfy:
    """A container that holds one ComfyUI: everything it does is in `tasks.on_modal`."""

    @modal.enter(snap=APPLICATION.snapshot != "off")
    def boot(self) -> None:
        """Start what becomes part of the memory snapshot."""
        _log()
        self.container = on_modal.ComfyContainer(APPLICATION, WARM_UP)
        self.container.boot()

    @modal.enter(snap=False)
    def wake(self) -> None:
        """Start what must not, after every restore."""
        self.container.wake(HANDLES)

    @modal.exit()
    def close(self) -> None:
        """Stop everything."""
        self.container.close()

    @modal.method()
    def run(self, message: dict[str, Any]) -> None:
        """Carry out one delivery."""
        self.container.deliver(message)

    @modal.method()
    def ready(self) -> dict[str, Any]:
        """Tell how this container came up: `manage.py warm` asks, to have one come up."""
        return self.container.told()


_worker_options: dict[str, Any] = {
    "image": comfy_image,
    "volumes": {CACHE: volume},
    "secrets": [r2_secret],
    "scaledown_window": APPLICATION.limits.gpu_scaledown_window_seconds,
    "timeout": min(APPLICATION.timeouts.job_seconds + GRACE_SECONDS, 86_400),
    "startup_timeout": APPLICATION.timeouts.start_seconds,
    "enable_memory_snapshot": APPLICATION.snapshot != "off",
}


@app.cls(
    **_worker_options,
    env={**ENVIRONMENT, "COMFYUI_DEVICE": "gpu"},
    gpu=list(APPLICATION.gpu),
    min_containers=APPLICATION.limits.gpu_min_containers,
    max_containers=APPLICATION.limits.gpu_max_containers,
    buffer_containers=APPLICATION.limits.gpu_buffer_containers,
    experimental_options={"enable_gpu_snapshot": True} if APPLICATION.snapshot == "gpu" else {},
)
class ComfyRunner(_Comfy):
    """Runs jobs on a GPU."""


HANDLES: dict[str, Any] = {on_modal.GPU_CLASS: ComfyRunner}
"""What this process can send to without looking it up."""

if APPLICATION.cpu_jobs:

    @app.cls(
        **_worker_options,
        env={**ENVIRONMENT, "COMFYUI_DEVICE": "cpu"},
        cpu=(on_modal.CPU_CORES, 2 * on_modal.CPU_CORES),
        memory=4096,
        max_containers=APPLICATION.limits.gpu_max_containers,
    )
    class ComfyCpuRunner(_Comfy):
        """Runs jobs that need no GPU, where the app allows it."""

    HANDLES[on_modal.CPU_CLASS] = ComfyCpuRunner

# -- every other task ------------------------------------------------------------------------


def _entry(task: str) -> Callable[..., None]:
    """Return the plain module-level function that Modal wants behind a task's own Function.

    A schedule calls it without a message, and cannot say for which task.
    """

    def run(message: dict[str, Any] | None = None) -> None:
        _log()
        container = on_modal.light_container(APPLICATION, _handles)
        if message is not None:
            container.deliver(message)
            return
        container.occur(task, time.time())
        if task == maintenance.tick.name:
            models_wanted.ensure(APPLICATION, pull_models.spawn)

    run.__name__ = run.__qualname__ = "run_" + function_name(task).replace("-", "_")
    globals()[run.__name__] = run  # where a container finds it
    return run


def _schedule(period: Period | None) -> modal.Cron | None:
    if period is None:
        return None
    if not isinstance(period, Cron):
        raise TypeError(f"{period}: on Modal a task has cron=, since a deploy resets intervals")
    return modal.Cron(period.crontab.text, timezone=period.timezone)


for _name, _task in registry.items():
    if _task.pool not in on_modal.CLASSES:
        HANDLES[function_name(_name)] = app.function(
            name=function_name(_name),
            image=light_image,
            env=ENVIRONMENT,
            secrets=[api_secret, r2_secret],
            schedule=_schedule(_task.period),
            timeout=int(_task.timeout or 300) + 30,
            max_containers=1 if _task.period else 10,
        )(_entry(_name))

# -- for operators ---------------------------------------------------------------------------


@app.function(
    image=light_image,
    env=ENVIRONMENT,
    secrets=[hub_secret, api_secret, r2_secret],
    volumes={CACHE: volume},
    timeout=21_600,
    max_containers=1,  # the lock of a download reaches no further than one container
)
def pull_models() -> None:
    """Download the app's models into the volume; those that are there already cost nothing."""
    from commands.pulling import pull_for_modal  # noqa: PLC0415 - only here the Hub is needed

    _log()
    on_modal.light_container(APPLICATION, _handles)
    try:
        try:
            pull_for_modal(APPLICATION.to_json(), directory=Path(MODELS), kept=volume.commit)
        finally:
            volume.commit()  # what is arriving still is gone on with by the next
    except BaseException:
        models_wanted.note_failed(APPLICATION)
        raise
    models_wanted.note_done(APPLICATION)


@app.function(
    image=light_image,
    env=ENVIRONMENT,
    secrets=[api_secret, r2_secret],
    volumes={CACHE: volume.with_mount_options(read_only=True)},
)
def verify_setup() -> None:
    """Check from inside a container that everything the app needs is there, and say so."""
    from tasks import checkup  # noqa: PLC0415 - only here

    _log()
    on_modal.light_container(APPLICATION, _handles)
    chosen = settings.load(None)
    bucket = on_modal.bucket_of(chosen, APPLICATION)
    found = list(checkup.checks(APPLICATION, chosen, bucket, Path(MODELS)))
    for check in found:
        print(check)  # noqa: T201 - for whoever runs `modal run`
    if not all(check.well for check in found):
        raise SystemExit(1)
