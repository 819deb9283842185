"""The commands that look after webhooks, here or in an app on Modal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from comfy_runner.bucket import BucketError
from commands.tasks import json_option
from commands.terminal import print_table, printable
from commands.where import Data, with_data
from tasks import jobs, kept_secret, webhook_log
from tasks.jobs import Job, JobNotFound
from tasks.webhook_log import Delivery
from tasks.webhook_signing import configured_secrets, secrets_of


@click.group()
def webhooks() -> None:
    """See what became of a job's events, send them anew, and print the secret that signs them.

    These commands work on the records themselves, here or with --app on Modal, and need no
    running server.
    """


@webhooks.command("list")
@click.argument("job_id", metavar="JOB")
@json_option
@with_data
def list_events(*, data: Data, job_id: str, as_json: bool) -> None:  # noqa: ARG001 (it is open)
    """List the events of a job, and each attempt to tell its owner."""
    found = webhook_log.deliveries(_job(job_id))
    if as_json:
        click.echo(json.dumps({"webhooks": [each.to_json() for each in found]}, indent=2))
        return
    if not found:
        click.echo("No events.")
        return
    headings = ("EVENT", "STATE", "AT", "STATUS", "ERROR")
    print_table(headings, [row for each in found for row in _rows(each)])


@webhooks.command("redeliver")
@click.argument("job_id", metavar="JOB")
@click.option("--event", metavar="TYPE|ID", help="Only this one.  [default: all]")
@with_data
def redeliver(*, data: Data, job_id: str, event: str | None) -> None:  # noqa: ARG001 (it is open)
    """Send the events of a job anew; each keeps its id."""
    with _refusals():
        found = webhook_log.redeliver(_job(job_id), event)
    for each in found:
        if event in {None, each.id, each.type}:
            click.echo(f"{each.id} is {each.state}.")


@webhooks.command("secret")
@with_data
def secret(*, data: Data) -> None:
    """Print the secrets that sign webhooks, one a line: give one to whoever verifies them."""
    for each in _secrets(data):
        click.echo(each)


def _secrets(data: Data) -> tuple[str, ...]:
    configured = data.settings.webhook_secret
    if data.app is None:
        try:
            return secrets_of(configured, data.settings.data_dir)
        except BucketError as error:
            raise click.ClickException(str(error)) from error
    if configured:
        return configured_secrets(configured)
    kept = data.protocol.store.get(kept_secret.KEY)
    if kept is None:
        where = f"It is WEBHOOK_SECRET in {data.app.secrets.api} on Modal, which tells nobody"
        raise click.ClickException(f"{where}, or none has been needed yet.")
    return (str(kept["secret"]),)


def _job(job_id: str) -> Job:
    try:
        return jobs.get(job_id)
    except JobNotFound as error:
        raise click.ClickException(printable(str(error))) from error


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (webhook_log.NothingToRedeliver, webhook_log.TooManyRedeliveries) as error:
        raise click.ClickException(printable(str(error))) from error


def _rows(delivery: Delivery) -> list[tuple[str, ...]]:
    due = delivery.to_json()["next_attempt_at"]
    state = f"{delivery.state}, next at {due}" if due else delivery.state
    attempts: tuple[Mapping[str, Any], ...] = delivery.attempts or ({},)
    names = ("at", "status", "error")
    rows = [
        (delivery.id, state, *(str(each.get(name) or "") for name in names)) for each in attempts
    ]
    return [rows[0], *(("", "", *row[2:]) for row in rows[1:])]
