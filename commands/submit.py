"""The command that submits a workflow, watches it run and fetches its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

import workflows
from commands.connection import with_client
from commands.jobs import misfortune
from commands.media import MediaType
from commands.terminal import printable, progress_of
from commands.took import took
from tasks.webhook_target import EVENTS
from web.answers import Job
from web.client import ClientError, JobsClient
from workflows import UnknownWorkflow, WrongParameters


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


class ParameterType(click.ParamType[tuple[str, Any]]):
    """NAME=VALUE, where VALUE is JSON if it reads as JSON, else text."""

    name = "NAME=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """Return the name and the value."""
        name, equals, text = value.partition("=")
        if not (equals and name):
            self.fail(f"{value!r} does not read NAME=VALUE, such as seed=7", param, ctx)
        return name, _read_value(text)


@dataclass(frozen=True)
class Order:
    """What to run, with which overrides and files, whom to tell, and where to put what comes."""

    graph: dict[str, Any]
    overrides: tuple[dict[str, Any], ...] = ()
    media: tuple[dict[str, Any], ...] = ()
    temp_outputs: bool = False
    user_id: str | None = None
    gpu: str | None = None
    download: Path | None = None
    timeout_seconds: int | None = None
    webhook_url: str | None = None
    webhook_events: tuple[str, ...] = ()


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
    "--param",
    "params",
    multiple=True,
    type=ParameterType(),
    metavar="NAME=VALUE",
    help="Set a parameter of a bundled workflow: prompt='a fox', seed=7.",
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
@click.option("--user", "user_id", metavar="ID", help="On whose behalf.")
@click.option("--gpu", metavar="TYPE", help="Another GPU than usual, if the app allows it.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="How long the run may take.  [default: the server's JOB_TIMEOUT_SECONDS]",
)
@click.option("--webhook", "webhook_url", metavar="URL", help="Where the server tells of the job.")
@click.option(
    "--webhook-event",
    "webhook_events",
    multiple=True,
    type=click.Choice(EVENTS),
    help="Of what it tells; may be given several times.  [default: however the job ends]",
)
@click.option("--no-wait", is_flag=True, help="Print the job's id and leave.")
@with_client
def submit(
    *,
    client: JobsClient,
    workflow: str,
    params: tuple[tuple[str, Any], ...],
    no_wait: bool,
    **asked: Any,
) -> None:
    """Run the workflow in FILE, or a bundled one by its name.

    Ctrl-C asks for the job to be cancelled.
    """
    if asked["webhook_events"] and not asked["webhook_url"]:
        raise click.UsageError("--webhook-event makes no sense without --webhook URL.")
    order = Order(read_workflow(workflow, dict(params)), **asked)
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
            job = client.wait(job.job_id, show=show)
        if line := took(job):
            click.echo(printable(line))
        if job.status != "completed":
            raise click.ClickException(misfortune(job))
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
        timeout_seconds=order.timeout_seconds,
        webhook_url=order.webhook_url,
        webhook_events=order.webhook_events,
        gpu=order.gpu,
    )


def read_workflow(name: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the graph in a file, or the bundled workflow of that name with `params` in it."""
    if params:
        return _filled(name, params)
    path = Path(name) if Path(name).is_file() else _bundled(name)
    try:
        graph = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(graph, dict):
        raise click.ClickException(f"{path} holds no workflow: it must be a JSON object of nodes.")
    return graph


def _filled(name: str, params: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return workflows.filled(name, params)
    except (UnknownWorkflow, WrongParameters) as error:
        raise click.ClickException(f"--param: {error}") from error


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
