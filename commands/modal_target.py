"""Which app on Modal a command is about, and with which environment."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

import apps
import settings
from apps import App

app_option = click.option(
    "--app",
    "app_file",
    type=click.Path(path_type=Path),
    help="The app's TOML file.  [default: APP_FILE, or apps/default.toml]",
)
environment_option = click.option(
    "--env", "environment", metavar="NAME", help="The Modal environment.  [default: Modal's own]"
)


@dataclass(frozen=True)
class Target:
    """One app on Modal, as its file and the environment say it is."""

    file: Path
    app: App
    environ: Mapping[str, str] = field(repr=False)
    """What a child process gets: this process's environment over `.env`."""
    app_option: str = ""
    """What names this app to a further command; `option` names the environment too."""
    option: str = ""


def target_of(app_file: Path | None, environment: str | None) -> Target:
    """Return the app that the options of a command name.

    Raises:
        AppError: the app's file, or the environment that overrides it, is wrong.
        SettingsError: `.env` cannot be read.
    """
    environ = settings.environment()
    named = environ.get("APP_FILE", "").strip()
    file = app_file or (Path(named) if named else apps.DEFAULT)
    app = apps.load(file).with_environment(environ)
    environ["APP_FILE"] = str(file.absolute())
    chosen = f" --app {app_file}" if app_file else ""
    if environment:
        environ["MODAL_ENVIRONMENT"] = environment
    there = f" --env {environment}" if environment else ""
    return Target(file, app, environ, chosen, f"{chosen}{there}")


def with_target(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options --app and --env, and the app in their place."""

    @app_option
    @environment_option
    @functools.wraps(command)
    def aimed(*, app_file: Path | None, environment: str | None, **options: Any) -> None:
        command(target=target_of(app_file, environment), **options)

    return aimed
