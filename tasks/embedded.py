"""The whole product on one machine: SQLite, local disk, worker processes, ComfyUI."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from comfy_runner.bucket import open_bucket
from comfy_runner.install import find
from comfy_runner.media import Policy
from comfy_runner.worker import ComfyWorker
from settings import Settings
from tasks import catalogue, maintenance
from tasks.framework import Protocol, Runtime, Task, Timing, Worker
from tasks.framework import configure as use
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.backends.local import LocalBackend
from tasks.framework.backends.process import WorkerProcess, recover
from tasks.framework.backends.supervisor import Command, Supervisor
from tasks.framework.schedule import Every, Period
from tasks.framework.scheduler import Scheduler
from tasks.framework.stores.sqlite import SqliteStore
from tasks.framework.task import CPU, pool_of, registry
from tasks.webhook import Courier
from tasks.webhook_courier import courier

TIMING = Timing(stale=15.0, grace=15.0, beat=1.0, report=0.1)
"""One machine has one clock, and writes cost no network call: progress ten times a second."""

DATABASE = "tasks.db"
"""The file in the data directory that holds every record."""

WORKERS: dict[str, type[Worker] | None] = {
    ComfyWorker.pool: ComfyWorker,
    CPU: None,
    Courier.pool: Courier,
}
"""What the processes of each pool hold."""


def configure(settings: Settings) -> None:
    """Wire the framework to SQLite under ``settings.data_dir``, in this process."""
    _use(settings, {})


def work(settings: Settings, pool: str, name: str, *, supervised: bool = False) -> None:
    """Carry out one pool's runs in this process until SIGTERM or SIGINT.

    A supervised process also stops when the one that started it is gone.

    Raises:
        ComfyNotInstalled: there is no ComfyUI for the pool that needs one.
        ValueError: there is no such pool, or the name is in use.
    """
    if pool not in WORKERS:
        raise ValueError(f"there is no pool {pool!r}: choose one of {', '.join(sorted(WORKERS))}")
    factories: dict[type[Worker], Callable[[], Worker]] = {
        ComfyWorker: lambda: _comfy_worker(settings, name),
        Courier: lambda: courier(settings),
    }
    backend = _use(settings, factories)
    process = WorkerProcess(backend, pool=pool, name=name, supervised=supervised)
    try:
        process.run(WORKERS[pool])
    finally:
        _forget(settings, name)


class Cluster:
    """Every process that runs jobs, and the scheduler: started and stopped as one."""

    def __init__(self, settings: Settings, command: Command) -> None:
        self._settings = settings
        self._backend = _use(settings, {})
        pools = {
            ComfyWorker.pool: settings.workers,
            CPU: 1,
            Courier.pool: settings.webhook_workers,
        }
        self._supervisor = Supervisor(pools, command, self._bury)
        self._scheduler = Scheduler(periodic(settings), time.time)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        recover(self._backend)  # what an earlier cluster had in hand when it was killed
        for directory in _worker_directories(self._settings):
            if not self._backend.lives(directory.name):
                _forget(self._settings, directory.name)
        with ExitStack() as stack:
            stack.enter_context(self._supervisor)
            stack.enter_context(self._scheduler)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def ready(self, timeout: float) -> bool:
        """Wait until every process can take a job, at most ``timeout`` seconds."""
        until = time.monotonic() + timeout
        while not self._all_ready():
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        return True

    def process_ids(self) -> dict[str, int]:
        """Return the process id of every running worker by its name."""
        return self._supervisor.process_ids()

    def _all_ready(self) -> bool:
        return all(name and self._backend.is_ready(name) for name in self._supervisor.names())

    def _bury(self, name: str) -> None:
        recover(self._backend, name)
        _forget(self._settings, name)


def _use(settings: Settings, factories: dict[type[Worker], Callable[[], Worker]]) -> LocalBackend:
    path = settings.data_dir / DATABASE
    backend = LocalBackend(path, settings.data_dir / "bells")
    protocol = Protocol(
        SqliteStore(path), SqliteArchive(path), backend, time.time, pool_of, TIMING
    )
    use(Runtime(protocol, factories))
    maintenance.use(settings, lambda: open_bucket(settings))
    return backend


def _comfy_worker(settings: Settings, name: str) -> ComfyWorker:
    bucket = open_bucket(settings)
    return ComfyWorker(
        find(comfyui_dir=settings.comfyui_dir, comfyui_python=settings.comfyui_python),
        settings.data_dir.absolute() / "workers" / name,
        bucket,
        Policy.of(settings),
        device=settings.comfyui_device,
        arguments=shlex.split(settings.comfyui_arguments),
        start_timeout=settings.comfyui_start_timeout_seconds,
        keep_metadata=settings.comfyui_metadata == "keep",
        models_dir=settings.models_place,
        on_catalog=lambda catalog: catalogue.publish(catalog, bucket),
    )


def _worker_directories(settings: Settings) -> list[Path]:
    directory = settings.data_dir / "workers"
    return list(directory.iterdir()) if directory.is_dir() else []


def _forget(settings: Settings, name: str) -> None:
    """Remove what a worker that is gone had on the disk: its outputs lie in the bucket."""
    shutil.rmtree(settings.data_dir / "workers" / name, ignore_errors=True)


def periodic(settings: Settings) -> list[tuple[Task[..., Any], Period]]:
    """Return every scheduled task with its period, as this deployment runs it."""
    periods = {task.name: (task, task.period) for task in registry.values() if task.period}
    periods[maintenance.tick.name] = (maintenance.tick, Every(settings.tick_seconds))
    return list(periods.values())
