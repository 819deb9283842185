"""The commands that look after jobs: list, show, logs, watch, cancel, retry, purge."""

from __future__ import annotations

import json
from datetime import datetime

import click

from commands.connection import with_client
from commands.terminal import print_table, printable, progress_of
from commands.took import took
from web.answers import Job
from web.client import JobsClient

STATUSES = ("queued", "running", "completed", "failed", "cancelled")


@click.group()
def jobs() -> None:
    """List, show, follow, cancel, repeat and delete jobs."""


@jobs.command("list")
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES))
@click.option("--user", metavar="ID", help="Only this user's jobs.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON.")
@with_client
def list_jobs(
    *, client: JobsClient, statuses: tuple[str, ...], user: str | None, limit: int, as_json: bool
) -> None:
    """List jobs, newest first."""
    page = client.list(statuses=statuses, user_id=user, limit=limit)
    if as_json:
        _print_json({"jobs": [dict(job.document) for job in page.jobs], "next": page.next})
        return
    if not page.jobs:
        click.echo("No jobs.")
        return
    headings = ("JOB", "STATUS", "PROGRESS", "OUTPUTS", "USER", "CREATED")
    print_table(headings, [_row(job) for job in page.jobs])
    if page.next:
        click.echo(f"There are more; --limit shows up to 200 (now {limit}).")


@jobs.command("show")
@click.argument("job_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the API's JSON.")
@with_client
def show(*, client: JobsClient, job_id: str, as_json: bool) -> None:
    """Show everything about one job."""
    job = client.get(job_id)
    if as_json:
        _print_json(dict(job.document))
        return
    for name, value in _facts(job):
        click.echo(f"{name:<10} {printable(value)}")


@jobs.command("cancel")
@click.argument("job_id", metavar="ID")
@with_client
def cancel(*, client: JobsClient, job_id: str) -> None:
    """Cancel a job; one that has ended stays as it is."""
    job = client.cancel(job_id)
    if job.status == "cancelled" or not job.is_final:
        click.echo(f"Job {job.job_id} is {'cancelled' if job.is_final else 'being cancelled'}.")
        return
    click.echo(f"Job {job.job_id} had already {job.status}.")


@jobs.command("logs")
@click.argument("job_id", metavar="ID")
@with_client
def logs(*, client: JobsClient, job_id: str) -> None:
    """Print the lines of a job's log."""
    for line in client.logs(job_id):
        click.echo(printable(line))


@jobs.command("watch")
@click.argument("job_id", metavar="ID")
@with_client
def watch(*, client: JobsClient, job_id: str) -> None:
    """Follow a job until it ends, and fail unless it completes; Ctrl-C leaves it alone."""
    with progress_of({}) as show:
        job = client.wait(job_id, show=show)
    if line := took(job):
        click.echo(printable(line))
    for output in job.outputs:
        click.echo(printable(f"{output.filename or output.node_id}: {output.url or output.text}"))
    if job.status != "completed":
        raise click.ClickException(misfortune(job))


@jobs.command("retry")
@click.argument("job_id", metavar="ID")
@with_client
def retry(*, client: JobsClient, job_id: str) -> None:
    """Send an ended job again, as a new job, and print its id."""
    click.echo(client.retry(job_id).job_id)


@jobs.command("purge")
@click.argument("job_ids", metavar="ID...", nargs=-1, required=True)
@with_client
def purge(*, client: JobsClient, job_ids: tuple[str, ...]) -> None:
    """Delete the records and the files of ended jobs."""
    for job_id in job_ids:
        client.purge(job_id)
        click.echo(f"Job {job_id} is deleted, with its files.")


def misfortune(job: Job) -> str:
    """Say that a job did not complete, and why."""
    why = describe_error(job)
    return printable(f"Job {job.job_id} {job.status}" + (f": {why}" if why else "."))


def _row(job: Job) -> tuple[str, ...]:
    outputs = str(len(job.outputs)) if job.outputs else ""
    return (
        job.job_id,
        job.status,
        f"{job.progress}%",
        outputs,
        job.user_id or "",
        _local(job.created_at),
    )


def _facts(job: Job) -> list[tuple[str, str]]:
    facts = [
        ("job", job.job_id),
        ("status", job.status),
        ("progress", f"{job.progress}% ({job.nodes_done} of {job.nodes_total} nodes)"),
        ("user", job.user_id or ""),
        ("created", _local(job.created_at)),
        ("started", _local(job.started_at)),
        ("completed", _local(job.completed_at)),
        ("took", took(job)),
        ("error", describe_error(job)),
    ]
    for output in job.outputs:
        facts.append(("output", f"{output.filename} ({output.kind}, node {output.node_id})"))
        facts.append(("", output.url or output.text or ""))
    facts += [("log", line) for line in job.logs]
    return [(name, value) for name, value in facts if value]


def describe_error(job: Job) -> str:
    """Say in one line why a job failed, and at which node."""
    if job.error is None:
        return ""
    where = f" at node {job.error.node_id}" if job.error.node_id else ""
    kind = f" ({job.error.node_type})" if job.error.node_type else ""
    return f"{job.error.code}{where}{kind}: {job.error.message}"


def _local(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _print_json(document: object) -> None:
    click.echo(json.dumps(document, indent=2))
