"""The commands that run the service: everything at once, or one worker process."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click

import settings
from comfy_runner.install import find
from comfy_runner.worker import ComfyWorker
from commands import logs
from commands.http_server import WsgiApplication, listen, serve_http, url_of
from commands.signals import StopSignals
from settings import Settings
from tasks import embedded
from tasks.framework import TasksError, runtime
from tasks.framework.backends.local import LocalBackend
from tasks.framework.backends.process import recover
from tasks.framework.backends.supervisor import Supervisor
from tasks.framework.inspection import declared
from tasks.framework.task import pool_of
from web import create_app

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"
READY_POLL_SECONDS = 0.2

Command = Callable[[str, str], list[str]]


@dataclass(frozen=True)
class Parts:
    """What a service is put together from; tests put in their own."""

    cluster: Callable[[Settings, Command], AbstractContextManager[Any]] = embedded.Cluster
    application: Callable[[Settings], WsgiApplication] = create_app
    configure: Callable[[Settings], None] = embedded.configure
    find_comfyui: Callable[..., object] = find


@dataclass(frozen=True)
class Service:
    """A running service: where it answers, and whether its workers do within so many seconds."""

    url: str
    ready: Callable[[float], bool]


@contextmanager
def service(chosen: Settings, parts: Parts | None = None) -> Iterator[Service]:
    """Run the API, the scheduler and the workers during the block.

    Raises:
        click.ClickException: the port, the data directory or a setting cannot be used.
        ComfyNotInstalled: there is no ComfyUI to run.
    """
    parts = parts or Parts()
    chosen = chosen.replace(data_dir=chosen.data_dir.absolute())
    parts.find_comfyui(comfyui_dir=chosen.comfyui_dir, comfyui_python=chosen.comfyui_python)
    _make_data_directory(chosen.data_dir)
    with listen(chosen.host, chosen.port) as socket:
        parts.configure(chosen)
        application = parts.application(chosen)
        with (
            parts.cluster(chosen, worker_command(chosen)) as cluster,
            serve_http(application, socket, waiting=chosen.max_streams),
        ):
            yield Service(url_of(chosen.host, socket), cluster.ready)


def worker_command(chosen: Settings) -> Command:
    """Return what makes the command line of a worker process."""

    def command(pool: str, name: str) -> list[str]:
        data = str(chosen.data_dir.absolute())
        options = ["--supervised", "--pool", pool, "--name", name, "--data", data]
        return [sys.executable, str(MANAGE), "worker", *options]

    return command


@click.command()
@click.option("--host", help="Address to listen on.  [default: HOST]")
@click.option("--port", type=click.IntRange(0, 65535), help="0: any free one.  [default: PORT]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes.  [default: WORKERS]")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Where to keep all.  [default: DATA_DIR]"
)
def serve(host: str | None, port: int | None, workers: int | None, data: Path | None) -> None:
    """Run the API, the scheduler and the workers until Ctrl-C."""
    given = {"host": host, "port": port, "workers": workers, "data_dir": data}
    changes = {name: value for name, value in given.items() if value is not None}
    chosen = settings.load().replace(**changes)
    with logs.configured(chosen):
        run_service(chosen)


def run_service(chosen: Settings, parts: Parts | None = None) -> None:
    """Run the service until SIGINT or SIGTERM, and stop all of it."""
    with StopSignals() as signals:
        with service(chosen, parts) as running:
            _announce(chosen, running.url)
            _stay(running.ready, signals)
            click.echo("Stopping.")
        click.echo("Stopped.")


@click.command()
@click.option(
    "--tasks", "names", metavar="NAME[,NAME]", help="Tasks to carry out.  [default: all]"
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 64),
    help="Processes for each pool of these tasks.  [default: 1]",
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="Where all is kept.  [default: DATA_DIR]"
)
@click.option("--pool", type=click.Choice(tuple(embedded.WORKERS)), help="For `serve`: see below.")
@click.option("--name", help="For `serve`: what to call the process in logs and records.")
@click.option("--supervised", is_flag=True, help="For `serve`: stop when the starter is gone.")
def worker(
    *,
    names: str | None,
    concurrency: int | None,
    data: Path | None,
    pool: str | None,
    name: str | None,
    supervised: bool,
) -> None:
    """Run worker processes until SIGTERM or Ctrl-C, and replace those that die.

    Tasks that need the same kind of process share a pool, and a worker carries out all tasks of
    its pool. With --pool and --name this very process is one worker: `serve` starts these.
    """
    known = settings.load()
    chosen = known.replace(data_dir=data) if data else known
    if not (pool or name or supervised):
        pools = pools_of(names.split(",")) if names else tuple(embedded.WORKERS)
        with logs.configured(chosen):
            run_workers(chosen, dict.fromkeys(pools, concurrency or 1))
        return
    if names or concurrency or not pool or not name:
        raise click.UsageError(
            "give --pool and --name together, without --tasks and --concurrency"
        )
    try:
        with logs.configured(chosen):
            embedded.work(chosen, pool, name, supervised=supervised)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def pools_of(names: Collection[str]) -> tuple[str, ...]:
    """Return the pools that carry out these tasks, each once.

    Raises:
        click.ClickException: there is no such task, or no process here can carry it out.
    """
    try:
        found = {pool_of(declared(name.strip())): name for name in names}
    except TasksError as error:
        raise click.ClickException(str(error)) from error
    for pool, name in found.items():
        if pool not in embedded.WORKERS:
            raise click.ClickException(f"task {name!r} needs the pool {pool!r}, not run here")
    return tuple(found)


def run_workers(chosen: Settings, pools: Mapping[str, int]) -> None:
    """Keep so many worker processes of each pool running until SIGINT or SIGTERM.

    Raises:
        click.ClickException: the data directory cannot be used.
        ComfyNotInstalled: there is no ComfyUI for a pool that needs one.
    """
    chosen = chosen.replace(data_dir=chosen.data_dir.absolute())
    if ComfyWorker.pool in pools:
        find(comfyui_dir=chosen.comfyui_dir, comfyui_python=chosen.comfyui_python)
    backend = _open_queue(chosen)
    with StopSignals() as signals:
        recover(backend)  # what earlier workers had in hand when they were killed
        with Supervisor(
            pools, worker_command(chosen), lambda name: recover(backend, name)
        ) as supervisor:
            told = ", ".join(f"{count} of pool {pool}" for pool, count in pools.items())
            click.echo(f"Starting workers: {told}. Ctrl-C stops them.")
            _stay(lambda _: all(_readiness(backend, supervisor)), signals)
            click.echo("Stopping.")
        click.echo("Stopped.")


def _open_queue(chosen: Settings) -> LocalBackend:
    _make_data_directory(chosen.data_dir)
    try:
        embedded.configure(chosen)
    except sqlite3.Error as error:
        raise click.ClickException(f"{chosen.data_dir} cannot be used: {error}") from error
    return cast(LocalBackend, runtime().protocol.backend)  # what `embedded` configures


def _readiness(backend: LocalBackend, supervisor: Supervisor) -> Iterator[bool]:
    return (name is not None and backend.is_ready(name) for name in supervisor.names())


def _stay(ready: Callable[[float], bool], signals: StopSignals) -> None:
    """Wait for a signal, and meanwhile say when the workers are ready."""
    while not ready(0):
        if signals.wait(READY_POLL_SECONDS):
            return
    click.echo("Ready: the workers take jobs.")
    signals.wait()


def _announce(chosen: Settings, url: str) -> None:
    key = "in API_KEY" if chosen.api_key else f"in {chosen.data_dir / 'api_key'}"
    plural = "worker" if chosen.workers == 1 else "workers"
    click.echo(f"Listening on {url}")
    click.echo(f"The key is {key}; {chosen.workers} ComfyUI {plural} on {chosen.comfyui_device}.")
    if chosen.r2_bucket_name:
        click.echo(f"Files live in the bucket {chosen.r2_bucket_name}.")
    click.echo("Ctrl-C stops everything.")


def _make_data_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"The data directory {path} cannot be used: {error.strerror}."
        raise click.ClickException(f"{message} Choose another with --data.") from error
