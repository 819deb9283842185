"""The whole product on Modal: Dicts hold what is alive, the bucket files and what is over."""

from __future__ import annotations

import shlex
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import settings
from apps import App
from comfy_runner.billing import Billing
from comfy_runner.bucket import Bucket, open_bucket, open_records
from comfy_runner.bucket.late import LateBucket
from comfy_runner.install import find
from comfy_runner.media import Policy
from comfy_runner.read_ahead import ReadAhead
from comfy_runner.work import Work
from comfy_runner.worker import ComfyWorker
from settings import Settings, SettingsError
from tasks import catalogue, maintenance
from tasks.framework import Protocol, Runtime, Timing, Worker
from tasks.framework import configure as use
from tasks.framework.archives.bucket import BucketArchive
from tasks.framework.backends.modal import ModalBackend
from tasks.framework.backends.modal_seat import ModalSeat, deliver
from tasks.framework.scheduler import Scheduler, run_id_of
from tasks.framework.stores.modal_dict import ModalDictStore
from tasks.framework.task import find as find_task
from tasks.framework.task import pool_of
from tasks.gpu_names import gpu_of
from tasks.kept_secret import webhook_secrets
from tasks.webhook import Courier
from tasks.webhook_courier import courier

TIMING = Timing(stale=30.0, grace=30.0, beat=1.0, report=1.0)
"""A write is a call over the network, and the clocks of two machines may differ by seconds."""

GPU_CLASS = "ComfyRunner"
CPU_CLASS = "ComfyCpuRunner"

CPU_CORES = 2.0
"""How many cores the workers without a GPU get."""

CLASSES = {ComfyWorker.pool: GPU_CLASS, f"{ComfyWorker.pool}-cpu": CPU_CLASS}
"""The classes whose containers hold a ComfyUI, by pool; every other task is a function."""


def configure(
    chosen: Settings,
    app: App,
    *,
    hydrated: Mapping[str, Any] | None = None,
    hurried: bool = False,
) -> Runtime:
    """Wire the framework to the records of the deployed `app`, in this process.

    `hydrated` are the handles that a container of the app has; elsewhere they are looked up.
    `hurried` is for where somebody waits for the answer: the archive then gives up in seconds.

    Raises:
        SettingsError: there is no R2 bucket; finished records live there.
    """
    if chosen.r2_bucket_name is None:
        remedy = "on Modal, files and finished jobs live in R2: set the four R2_... settings"
        raise SettingsError([f"R2_BUCKET_NAME is not set; {remedy}"])
    protocol = Protocol(
        ModalDictStore(app.name),
        BucketArchive(open_records(chosen, prefix=app.name, hurried=hurried)),
        ModalBackend(app.name, classes=CLASSES, hydrated=hydrated or {}),
        time.time,
        pool_of,
        TIMING,
    )
    factories: dict[type[Worker], Callable[[], Worker]] = {
        Courier: lambda: courier(
            chosen,
            bucket=bucket_of(chosen, app, hurried=True),
            secrets=webhook_secrets(chosen.webhook_secret),
        )
    }
    runtime = Runtime(protocol, factories)
    use(runtime)
    maintenance.use(chosen, lambda: bucket_of(chosen, app))
    return runtime


def bucket_of(chosen: Settings, app: App, *, hurried: bool = False) -> Bucket:
    """Return the app's part of the bucket: apps that share one do not meet in it."""
    return open_bucket(chosen, hurried=hurried, prefix=app.name)


def comfy_worker(chosen: Settings, app: App, load: Callable[[], Settings]) -> ComfyWorker:
    """Return what a GPU container holds, not started.

    It may become part of a memory snapshot, so it has no secret and no connection: the bucket is
    opened when it is first used, with what `load` returns then.
    """
    bucket = LateBucket(lambda: bucket_of(load(), app))
    return ComfyWorker(
        find(comfyui_dir=chosen.comfyui_dir, comfyui_python=chosen.comfyui_python),
        chosen.data_dir.absolute() / f"comfy-{uuid.uuid4().hex[:8]}",
        bucket,
        Policy.of(chosen),
        device=chosen.comfyui_device,
        arguments=shlex.split(chosen.comfyui_arguments),
        start_timeout=chosen.comfyui_start_timeout_seconds,
        keep_metadata=chosen.comfyui_metadata == "keep",
        models_dir=chosen.models_dir,
        snapshot=app.snapshot == "cpu" and chosen.comfyui_device == "gpu",
        on_catalog=lambda catalog: catalogue.publish(catalog, bucket),
    )


class ComfyContainer:
    """One container with a ComfyUI, from its start to its end; `warm_up` runs at each wake."""

    def __init__(self, app: App, warm_up: Work | None = None) -> None:
        self._app = app
        self._worker = comfy_worker(_told(), app, _told)
        self._worker.warm_up = warm_up
        self._seat = ModalSeat()
        self._read_ahead = ReadAhead([])

    def boot(self) -> None:
        """Start what becomes part of a memory snapshot; nothing of it knows a secret.

        Raises:
            ComfyUnavailable: ComfyUI does not start; nothing is left running.
        """
        self._worker.boot()

    def wake(self, hydrated: Mapping[str, Any]) -> None:
        """Start the rest, with the secrets and the GPU that there are now.

        Raises:
            ComfyUnavailable: ComfyUI does not start; nothing is left running.
        """
        try:
            configure(_told(), self._app, hydrated=hydrated).adopt(self._worker)
            self._begin_reading()
            self._worker.wake()
            self._worker.billing = self._billing()
        except BaseException:  # Modal calls no exit hook for a start that failed
            self.close()
            raise

    def _begin_reading(self) -> None:
        """Read the app's `warm` models from the volume while ComfyUI takes its GPU."""
        models = _told().models_place
        self._read_ahead = ReadAhead([models / path for path in self._app.warm])
        self._read_ahead.start()

    def _billing(self) -> Billing:
        """Return what this container computes on, which may be another GPU than the first."""
        app, chosen = self._app, _told()
        if chosen.comfyui_device == "cpu":
            price = app.price_of("CPU")
            return Billing("CPU", None if price is None else price * CPU_CORES)
        gpu = gpu_of(self._worker.device_name, (*app.gpu, *app.allowed_gpus)) or app.gpu[0]
        return Billing(gpu, app.price_of(gpu))

    def told(self) -> dict[str, Any]:
        """Return what this container computes on, and how its start went, in seconds."""
        billing, seconds = self._worker.billing, self._worker.awakening.seconds
        return {
            "gpu": billing.gpu if billing else None,
            **{f"{part}_seconds": round(took, 2) for part, took in seconds.items()},
            "snapshot": self._worker.fell_back or self._app.snapshot,
        }

    def deliver(self, message: Mapping[str, Any]) -> None:
        """Carry out one delivery in this thread, which is the main one."""
        deliver(message, self._seat)

    def close(self) -> None:
        """Stop ComfyUI. Idempotent."""
        self._read_ahead.stop()
        self._worker.close()


class LightContainer:
    """One container without a ComfyUI, which carries out all other tasks."""

    def __init__(self) -> None:
        self._seat = ModalSeat()

    def deliver(self, message: Mapping[str, Any]) -> None:
        """Carry out one delivery in this thread, which is the main one."""
        deliver(message, self._seat)

    def occur(self, task: str, now: float) -> None:
        """Carry out a scheduled task whose time has come: once, however often or late it is told.

        It is sent as anybody would send it, and then carried out here at once: the container is
        up, and a call that Modal refused or lost would cost the occurrence.
        """
        declared = find_task(task)
        if declared.period is None:
            raise ValueError(f"task {task!r} has no period: it runs when it is sent")
        occurrence = declared.period.occurrence(now)
        if occurrence is None:  # Modal is late by more than is made good, or somebody wants it now
            occurrence = f"{datetime.fromtimestamp(now, UTC):now-%Y%m%dT%H%M}"
            declared.apply_async(task_id=run_id_of(declared, occurrence))
        else:
            Scheduler([(declared, declared.period)], lambda: now).look()
        self.deliver({"id": run_id_of(declared, occurrence), "task": task})


@cache
def light_container(app: App, hydrated: Callable[[], Mapping[str, Any]]) -> LightContainer:
    """Return this process's container, wired up when it is first needed."""
    configure(_told(), app, hydrated=hydrated())
    return LightContainer()


def _told() -> Settings:
    """Return the settings of this container, which are new after every restore."""
    return settings.load(None)
