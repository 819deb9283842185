"""The commands that look after the runs of every task, here or in an app on Modal."""

from __future__ import annotations

import json
from typing import Any

import click

from commands.task_views import facts_of, show_agenda, show_listing, show_survey
from commands.terminal import printable
from commands.where import Data, with_data
from tasks.framework import AsyncResult, State
from tasks.framework.agenda import agenda
from tasks.framework.inspection import (
    MAX_COUNTED,
    count_old,
    details,
    list_runs,
    resolve,
    summary,
)
from tasks.framework.reading import read
from tasks.framework.survey import survey
from tasks.maintenance import DAY, RETENTION

STATES = tuple(state.value for state in State)

KEPT_DAYS = int(RETENTION // DAY)
"""Younger records are still needed by late deliveries."""

task_option = click.option(
    "--task", "names", multiple=True, metavar="NAME", help="Only this task's; may be repeated."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def tasks() -> None:
    """Look after the runs of every task: jobs, maintenance, whatever runs in the background.

    These commands work on the records themselves and need no running server: those of this
    machine, or with --app or --on modal those of an app on Modal (with its R2_... set here).
    """


@tasks.command("list")
@task_option
@click.option("--state", "states", multiple=True, type=click.Choice(STATES))
@click.option("--owner", metavar="ID", help="Only those sent on this one's behalf.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@with_data
def list_all(
    *,
    data: Data,
    names: tuple[str, ...],
    states: tuple[str, ...],
    owner: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List runs, newest first."""
    wanted = [State(state) for state in states]
    found = list_runs(
        data.protocol, resolve(data.protocol, names), states=wanted, owner=owner, limit=limit
    )
    if as_json:
        _print_json({"runs": [summary(run) for run in found.runs], "more": found.more})
        return
    show_listing(found)


@tasks.command("show")
@click.argument("run_id", metavar="ID")
@json_option
@with_data
def show(*, data: Data, run_id: str, as_json: bool) -> None:
    """Show everything about one run; long values are shortened, but not with --json."""
    found = details(data.protocol, run_id)
    if found is None:
        raise click.ClickException(_unknown(run_id))
    if as_json:
        _print_json(found.to_json())
        return
    for name, value in facts_of(found):
        click.echo(f"{name:<10} {printable(value)}")


@tasks.command("stats")
@task_option
@click.option(
    "--hours",
    type=click.FloatRange(min=0, max=24 * 366, min_open=True),
    default=24,
    show_default=True,
    help="Count finished runs sent in so many last hours.",
)
@json_option
@with_data
def stats(*, data: Data, names: tuple[str, ...], hours: float, as_json: bool) -> None:
    """Count the runs of each task by state, what waits for each pool, and who works."""
    found = survey(data.protocol, resolve(data.protocol, names), span=hours * 3600)
    if as_json:
        _print_json(found.to_json())
        return
    show_survey(found)


@tasks.command("revoke")
@click.argument("run_ids", metavar="ID...", nargs=-1, required=True)
@with_data
def revoke(*, data: Data, run_ids: tuple[str, ...]) -> None:
    """Have runs not start, or stop; one that has ended stays as it is."""
    unknown = False
    for run_id in dict.fromkeys(run_ids):
        before = read(data.protocol, run_id)
        AsyncResult[Any](run_id).revoke()  # and the members of a chain or group
        after = read(data.protocol, run_id)
        if before is None or after is None:
            unknown = True
            click.echo(f"Error: {_unknown(run_id)}", err=True)
        elif before.state.final:
            click.echo(f"Run {before.id} had already {_ended(before.state)}.")
        elif after.state.final and after.state is not State.REVOKED:
            click.echo(f"Run {after.id} has just {_ended(after.state)}.")
        else:
            click.echo(f"Run {after.id} is {'revoked' if after.state.final else 'being stopped'}.")
    if unknown:
        raise click.exceptions.Exit(1)


@tasks.command("retry")
@click.argument("run_id", metavar="ID")
@with_data
def retry(*, data: Data, run_id: str) -> None:
    """Send a run that failed, expired or was revoked again, as a new run."""
    reading = read(data.protocol, run_id)
    if reading is None:
        raise click.ClickException(_unknown(run_id))
    if reading.state is State.SUCCEEDED:
        fact = f"Run {run_id} has succeeded."
        raise click.ClickException(f"{fact} Only what failed, expired or was revoked is retried.")
    again: AsyncResult[Any] = AsyncResult[Any](run_id).retry()
    click.echo(f"Run {again.id} is {again.state}.")


@tasks.command("purge")
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(KEPT_DAYS, 36500),
    required=True,
    metavar="DAYS",
    help=f"Forget finished runs that were sent longer ago than this; at least {KEPT_DAYS}.",
)
@task_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_data
def purge(*, data: Data, days: int, names: tuple[str, ...], yes: bool) -> None:
    """Forget old finished runs for good. The files of jobs stay.

    Name more days than any chain or group takes: its members must not be forgotten before it.
    """
    before = data.protocol.clock() - days * DAY
    found = resolve(data.protocol, names)
    counts = {task: count_old(data.protocol, task, before=before) for task in found}
    if not any(counts.values()):
        click.echo(f"No finished run was sent more than {days} days ago.")
        return
    for task, count in counts.items():
        if count:
            click.echo(f"{task}: {'at least ' if count == MAX_COUNTED else ''}{count} runs")
    if not yes:
        click.confirm("Forget them for good?", abort=True)
    forgotten = sum(data.protocol.archive.purge(task=task, before=before) for task in found)
    click.echo(f"Forgot {forgotten} runs.")


@tasks.command("schedule")
@json_option
@with_data
def schedule(*, data: Data, as_json: bool) -> None:
    """Show the periodic tasks: when they are due, what became of the last time, and the next."""
    found = agenda(data.protocol, data.periodic())
    if as_json:
        _print_json({"tasks": [each.to_json() for each in found]})
        return
    show_agenda(found)


def _ended(state: State) -> str:
    return "been revoked" if state is State.REVOKED else state.value


def _unknown(run_id: str) -> str:
    return printable(f"There is no run {run_id!r}: never sent, or its record has been deleted.")


def _print_json(document: object) -> None:
    click.echo(json.dumps(document, indent=2))
