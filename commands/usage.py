"""The command that tells what jobs have used of workers, and what that cost."""

from __future__ import annotations

import dataclasses
import functools
import json
from datetime import UTC, datetime

import click

from commands.connection import with_client
from commands.terminal import print_table
from web.answers import UsedBy
from web.client import JobsClient

DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command()
@click.option("--by", type=click.Choice(("user", "day", "gpu")), default="user", show_default=True)
@click.option("--user", metavar="ID", help="Only this user's jobs.")
@click.option("--since", type=DAY, help="None that was submitted before, in UTC.")
@click.option("--until", type=DAY, help="Only those submitted before, in UTC.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_client
def usage(
    *,
    client: JobsClient,
    by: str,
    user: str | None,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Add up the GPU seconds and the estimated cost of jobs that have ended."""
    sums = client.usage(by=by, user_id=user, since=_in_utc(since), until=_in_utc(until))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) for each in sums], indent=2))
        return
    if not sums:
        click.echo("No jobs.")
        return
    total = functools.reduce(UsedBy.plus, sums)
    rows = [_row(each.name or "(none)", each) for each in sums]
    rows += [_row("total", total)] if len(sums) > 1 else []
    print_table((by.upper(), "JOBS", "GPU SECONDS", "USD"), rows)


def _row(name: str, used: UsedBy) -> tuple[str, ...]:
    usd = "" if used.usd is None else f"{used.usd:.4f}"
    return name, str(used.jobs), f"{used.gpu_seconds:.1f}", usd


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
