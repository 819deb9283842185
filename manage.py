#!/usr/bin/env python3
"""The operator's door: one command line to serve, submit, and look after jobs and set-up."""

from __future__ import annotations

from typing import Any

import click

from apps import AppError
from comfy_runner.errors import ComfyError
from commands.comfyui import comfyui
from commands.configuration import settings
from commands.demo import demo
from commands.jobs import jobs
from commands.keys import keys
from commands.modal_deploy import deploy, logs, stop, url, warm
from commands.modal_secrets import secrets
from commands.modal_verify import verify
from commands.models import models
from commands.serve import serve, worker
from commands.submit import submit
from commands.tasks import tasks
from commands.terminal import printable
from commands.usage import usage
from commands.webhooks import webhooks
from settings import SettingsError
from web.client import ClientError

EXPECTED = (SettingsError, AppError, ClientError, ComfyError)


class Manage(click.Group):
    """A group whose commands end an expected error with its message, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except EXPECTED as error:
            for line in getattr(error, "log", ()):  # ComfyUI's own last words
                click.echo(printable(line), err=True)
            raise click.ClickException(printable(str(error))) from error


@click.group(cls=Manage, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run ComfyUI as a service: serve the job API, submit workflows, look after jobs."""


HERE = (serve, worker, submit, jobs, keys, webhooks, usage, tasks, settings, comfyui, models, demo)
ON_MODAL = (deploy, verify, warm, url, logs, secrets, stop)

for command in (*HERE, *ON_MODAL):
    main.add_command(command)


if __name__ == "__main__":
    main()
