"""Which records a command works on: this machine's, or those of an app on Modal."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import settings
from apps import App
from commands.modal_lookup import explained
from commands.modal_target import Target, app_option, target_of
from commands.terminal import printable
from settings import Settings
from tasks import embedded
from tasks.framework import Protocol, TasksError, configure, runtime
from tasks.framework.schedule import Period
from tasks.framework.task import Task, registry

HERE = "here"
MODAL = "modal"


@dataclass(frozen=True)
class Data:
    """Records in use: the settings they go with, and the app on Modal whose they are, if any."""

    settings: Settings
    protocol: Protocol
    app: App | None = None

    def periodic(self) -> list[tuple[Task[..., Any], Period]]:
        """Return every scheduled task with its period, as this deployment runs it."""
        if self.app is None:
            return embedded.periodic(self.settings)
        return [(task, task.period) for task in registry.values() if task.period]


def with_data(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options --data, --on and --app, and the records in their place."""

    @click.option(
        "--data", type=click.Path(path_type=Path), help="Where all is kept.  [default: DATA_DIR]"
    )
    @click.option(
        "--on",
        type=click.Choice([HERE, MODAL]),
        help="Whose records: this machine's or an app's.  [default: here; modal with --app]",
    )
    @app_option
    @functools.wraps(command)
    def opened(
        *, data: Path | None, on: str | None, app_file: Path | None, **options: Any
    ) -> None:
        if _is_on_modal(on, app_file, data):
            with _deployed(target_of(app_file, None)) as used:
                command(data=used, **options)
            return
        known = settings.load()
        chosen = known.replace(data_dir=data) if data else known
        with open_data(chosen) as used:
            command(data=used, **options)

    return opened


@contextmanager
def open_data(chosen: Settings) -> Iterator[Data]:
    """Use the records of a data directory during the block.

    Raises:
        click.ClickException: there are none, or what was asked of them cannot be done.
    """
    if not (chosen.data_dir / embedded.DATABASE).is_file():
        remedy = "Name the one that `serve` uses with --data or DATA_DIR."
        raise click.ClickException(f"There are no task records in {chosen.data_dir}. {remedy}")
    try:
        embedded.configure(chosen)
        yield Data(chosen, runtime().protocol)
    except TasksError as error:
        raise click.ClickException(printable(str(error))) from error
    except (OSError, sqlite3.Error) as error:
        raise click.ClickException(f"{chosen.data_dir} cannot be used: {error}") from error
    finally:
        configure(None)


@contextmanager
def _deployed(target: Target) -> Iterator[Data]:
    """Use the records of a deployed app during the block; they are Modal's and the bucket's."""
    from tasks import on_modal  # noqa: PLC0415 - a second, for commands that talk to Modal only

    chosen = settings.load()
    try:
        with explained(target, doing=f"Using the records of {target.app.name}"):
            on_modal.configure(chosen, target.app)
            yield Data(chosen, runtime().protocol, target.app)
    except TasksError as error:
        raise click.ClickException(printable(str(error))) from error
    finally:
        configure(None)


def _is_on_modal(on: str | None, app_file: Path | None, data: Path | None) -> bool:
    if on == HERE and app_file:
        raise click.UsageError("--app is about Modal; say --on modal, or leave it out.")
    there = on == MODAL or app_file is not None
    if there and data:
        raise click.UsageError("--data is about this machine; leave it out for an app on Modal.")
    return there
