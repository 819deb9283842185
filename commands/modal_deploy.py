"""The commands that deploy an app on Modal and look after the deployed app."""

from __future__ import annotations

import click

from apps import App
from commands.modal_cli import PROGRAM, modal
from commands.modal_lookup import api_url, start_worker
from commands.modal_target import Target, with_target


@click.command()
@with_target
def deploy(*, target: Target) -> None:
    """Deploy an app on Modal; what runs there finishes its jobs first."""
    app = target.app
    click.echo(f"Deploying {app.name} from {target.file}.")
    _say_what_may_change(app)
    modal(target, "deploy", PROGRAM, doing=f"Deploying {app.name}")
    url = api_url(target)
    click.echo(f"\n{app.name} is deployed: {url}\n\nNext:")
    steps = [
        *_pull(target),
        (f"python manage.py verify{target.option}", "check secrets, bucket and models there"),
        (f"python manage.py warm{target.option}", "start a worker: it makes the snapshot"),
    ]
    for step, meaning in steps:
        click.echo(f"  {step:<46} # {meaning}")
    click.echo(f'  curl -sS {url}/v1/jobs -H "Authorization: Bearer $API_KEY"')
    click.echo("Or, with the same commands as for this machine:")
    click.echo(f"  export COMFYUI_API_URL={url} COMFYUI_API_KEY=$API_KEY")


@click.command()
@with_target
def url(*, target: Target) -> None:
    """Print the address of a deployed app's API."""
    click.echo(api_url(target))


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--since", metavar="TIME", help="From then on, such as 2h or 2026-03-01T05:00:00.")
@click.option("--tail", type=click.IntRange(min=1), metavar="N", help="The last so many lines.")
@with_target
def logs(*, target: Target, follow: bool, since: str | None, tail: int | None) -> None:
    """Print the log lines of a deployed app."""
    options = ["--follow"] if follow else []
    options += ["--since", since] if since else []
    options += ["--tail", str(tail)] if tail else []
    modal(target, "app", "logs", target.app.name, *options, doing="Reading the logs")


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_target
def stop(*, target: Target, yes: bool) -> None:
    """Take a deployed app down: it answers no more, and what runs is ended."""
    name = target.app.name
    if not yes:
        click.confirm(f"Stop {name} and end the jobs that run there?", abort=True)
    modal(target, "app", "stop", name, "--yes", doing=f"Stopping {name}", show=False)
    kept = f"its records, its files, the volume {target.app.volume} and its secrets"
    click.echo(f"{name} is stopped. Modal and the bucket keep {kept}.")
    click.echo(f"To bring it back: python manage.py deploy{target.option}")


@click.command()
@click.option(
    "--gpu",
    "gpus",
    multiple=True,
    metavar="TYPE",
    help="Which worker to start; may be repeated.  [default: the app's own, then allowed ones]",
)
@with_target
def warm(*, target: Target, gpus: tuple[str, ...]) -> None:
    """Start a worker on each GPU type, so that Modal makes its memory snapshot now.

    A worker that starts is paid for until it has been idle long enough to be ended. Modal makes a
    snapshot for each kind of machine, so a few more of the first starts may be slow.
    """
    app = target.app
    wanted: tuple[str | None, ...] = gpus or (None, *app.allowed_gpus)
    for gpu in wanted:
        click.echo(f"Starting a worker on {gpu or ' or '.join(app.gpu)} ...")
        for name, value in dict(start_worker(target, gpu) or {}).items():
            click.echo(f"  {name}: {value}")
    click.echo(f"Done. It ends after {app.limits.gpu_scaledown_window_seconds} idle seconds.")


def _pull(target: Target) -> list[tuple[str, str]]:
    if not target.app.models:
        return []
    step = f"python manage.py models pull --on modal{target.app_option}"
    return [(step, "download its models now; it does so itself within minutes")]


def _say_what_may_change(app: App) -> None:
    for number, model in enumerate(app.models):
        if not model.pinned:
            place = f"models[{number}] ({model.path})"
            click.echo(f"Note: {place} may change under you; pin a revision or a sha256.")
