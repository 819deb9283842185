"""The command that submits a workflow, watches it run and fetches its files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

import workflows
from commands.connection import with_client
from commands.jobs import describe_error
from commands.media import MediaType
from commands.terminal import ShowJob, printable, progress_of
from web.answers import Job
from web.client import ApiError, ApiUnreachable, ClientError, JobsClient

SILENCE_SECONDS = 30.0
FASTEST_POLL_SECONDS = 0.1
SLOWEST_POLL_SECONDS = 1.0


class OverrideType(click.ParamType[dict[str, Any]]):
    """NODE.FIELD=VALUE, where VALUE is JSON if it reads as JSON, else text."""

    name = "NODE.FIELD=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, Any]:
        """Return the override as the API takes it."""
        place, equals, text = value.partition("=")
        node, dot, field = place.partition(".")
        if not (equals and dot and node and field):
            self.fail(
                f"{value!r} does not read NODE.FIELD=VALUE, such as 6.text=sunset", param, ctx
            )
        return {"node": node, "field": field, "value": _read_value(text), "type": "raw"}


@dataclass(frozen=True)
class Order:
    """What to run, with which overrides and files, and where to put what comes out."""

    graph: dict[str, Any]
    overrides: tuple[dict[str, Any], ...] = ()
    media: tuple[dict[str, Any], ...] = ()
    temp_outputs: bool = False
    user_id: str | None = None
    download: Path | None = None


@click.command()
@click.argument("workflow", metavar="FILE")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    type=OverrideType(),
    metavar="NODE.FIELD=VALUE",
    help="Change a node's input. VALUE is JSON or text: 3.seed=7, 6.text=sunset, 6.text='\"7\"'.",
)
@click.option(
    "--media",
    multiple=True,
    type=MediaType(),
    metavar="[NAME=]PATH",
    help="Send a file, or the address of one; inputs whose value is NAME (else the file's own "
    "name) get it: --media in.png, --media face=https://example.com/a.jpg.",
)
@click.option("--temp-outputs", is_flag=True, help="Keep previews beside what is saved.")
@click.option(
    "--download",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where to put the job's files.",
)
@click.option("--user", metavar="ID", help="On whose behalf.")
@click.option("--no-wait", is_flag=True, help="Print the job's id and leave.")
@with_client
def submit(
    *,
    client: JobsClient,
    workflow: str,
    overrides: tuple[dict[str, Any], ...],
    media: tuple[dict[str, Any], ...],
    temp_outputs: bool,
    download: Path | None,
    user: str | None,
    no_wait: bool,
) -> None:
    """Run the workflow in FILE, or a bundled one by its name.

    Ctrl-C asks for the job to be cancelled.
    """
    order = Order(
        read_workflow(workflow), overrides, media, temp_outputs, user_id=user, download=download
    )
    if no_wait:
        click.echo(send(client, order).job_id)
        return
    run_order(client, order)


def run_order(client: JobsClient, order: Order) -> list[Path]:
    """Submit, watch and download; return the files.

    Raises:
        click.ClickException: the job did not complete.
        click.exceptions.Exit: with 130 after Ctrl-C, when the job has been asked to stop.
    """
    job = send(client, order)
    click.echo(f"Job {job.job_id}")
    try:
        with progress_of(order.graph) as show:
            job = follow(client, job, show)
        if job.status != "completed":
            raise click.ClickException(_misfortune(job))
        return _collect(client, job, order.download)
    except KeyboardInterrupt:
        _withdraw(client, job)


def send(client: JobsClient, order: Order) -> Job:
    """Submit the order; the job is queued."""
    return client.submit(
        order.graph,
        inputs=order.overrides,
        media=order.media,
        temp_outputs=order.temp_outputs,
        user_id=order.user_id,
    )


def follow(
    client: JobsClient,
    job: Job,
    show: ShowJob,
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Job:
    """Poll until the job has ended, showing each state; the server bounds how long that takes.

    Polls ten times a second at first, then less and less, down to once a second. A server that
    does not answer for 30 seconds (time for a restart) ends the wait with its error.
    """
    began = heard = clock()
    while not job.is_final:
        show(job)
        pause(min(SLOWEST_POLL_SECONDS, FASTEST_POLL_SECONDS + (clock() - began) / 60))
        try:
            job = client.get(job.job_id)
            heard = clock()
        except ClientError as error:
            if not _may_pass(error) or clock() - heard > SILENCE_SECONDS:
                raise
    show(job)
    return job


def read_workflow(name: str) -> dict[str, Any]:
    """Return the graph in a file, or the bundled workflow of that name."""
    path = Path(name) if Path(name).is_file() else _bundled(name)
    try:
        graph = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(graph, dict):
        raise click.ClickException(f"{path} holds no workflow: it must be a JSON object of nodes.")
    return graph


def _bundled(name: str) -> Path:
    known = {each.stem: each for each in Path(workflows.__file__).parent.glob("*.json")}
    if name not in known:
        names = ", ".join(sorted(known))
        raise click.ClickException(f"There is no file {name!r}; bundled workflows are {names}.")
    return known[name]


def _read_value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _may_pass(error: ClientError) -> bool:
    if isinstance(error, ApiError):
        return error.status == 429 or error.status >= 500
    return isinstance(error, ApiUnreachable)


def _misfortune(job: Job) -> str:
    why = describe_error(job)
    return printable(f"Job {job.job_id} {job.status}" + (f": {why}" if why else "."))


def _collect(client: JobsClient, job: Job, directory: Path | None) -> list[Path]:
    saved: list[Path] = []
    for output in job.outputs:
        if output.url is None:
            click.echo(printable(f"Text of node {output.node_id}: {output.text}"))
        elif directory is None:
            click.echo(printable(f"{output.filename}: {output.url}"))
        else:
            saved.append(client.download(output, directory))
            click.echo(f"Saved {printable(str(saved[-1]))}")
    return saved


def _withdraw(client: JobsClient, job: Job) -> NoReturn:
    click.echo(f"\nStopping: asking the server to cancel job {job.job_id}.", err=True)
    try:
        job = client.cancel(job.job_id)
    except ClientError as error:
        click.echo(f"The server did not take it: {error}", err=True)
    else:
        state = job.status if job.is_final else "being cancelled"
        click.echo(f"Job {job.job_id} is {state}.", err=True)
    raise click.exceptions.Exit(130)
