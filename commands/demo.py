"""The command that shows the whole thing once: a service, a workflow, a file on disk."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import settings
from commands.serve import Parts, Service, service
from commands.signals import StopSignals
from commands.submit import Order, read_workflow, run_order
from settings import Settings
from web.auth import api_key
from web.client import JobsClient

WORKFLOW = "text_to_image"
NEXT = """
What to try next:
  {python} manage.py serve    (the API on http://127.0.0.1:8000; the rest in another terminal)
  {python} manage.py submit {workflow} --set {change} --download {out}
  {python} manage.py jobs list
README.md has the same with curl."""


@click.command()
@click.option(
    "--download",
    "out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Where to put the picture.",
)
def demo(out: Path) -> None:
    """Run a bundled workflow from submission to a picture on disk, and stop again."""
    run_demo(settings.load(), out)


def run_demo(known: Settings, out: Path, parts: Parts | None = None) -> None:
    """Start a service, run the workflow through its API into `out`, and stop the service."""
    # Its own records and key: a service of yours in DATA_DIR is left alone.
    place = {"host": "127.0.0.1", "port": 0, "public_url": None}
    alone = known.replace(**place, workers=1, data_dir=known.data_dir / "demo")
    graph = read_workflow(WORKFLOW)
    with StopSignals() as signals:
        click.echo("Starting the API, a worker and its ComfyUI (about ten seconds).")
        with service(alone, parts) as running, signals.raising():
            click.echo(f"Submitting {WORKFLOW} to {running.url}.")
            files = _run(alone, running, Order(graph, download=out))
            click.echo("Stopping everything.")
    for file in files:
        click.echo(f"\nYour picture: {file.absolute()}")
    names = {"python": _python(), "workflow": WORKFLOW, "change": _suggest(graph), "out": out}
    click.echo(NEXT.format(**names))


def _run(alone: Settings, running: Service, order: Order) -> list[Path]:
    with JobsClient(running.url, api_key(alone)) as client:
        return run_order(client, order)


def _suggest(graph: dict[str, dict[str, object]]) -> str:
    samplers = (number for number, node in graph.items() if node.get("class_type") == "KSampler")
    return f"{next(samplers, 'NODE')}.seed=7"


def _python() -> str:
    """Return what to type for this interpreter: its environment may not be the active one."""
    program, here = Path(sys.executable), Path.cwd()
    return str(program.relative_to(here)) if program.is_relative_to(here) else "python"
