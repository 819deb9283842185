"""What the commands print: text made safe for a terminal, tables, and a job's progress."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from web.answers import Job

PIPE_COLUMNS = 200


ShowJob = Callable[[Job], None]
"""Takes each state of a job that is waited for."""


def printable(text: str) -> str:
    """Replace what could move the cursor or change colours: names and messages are others'."""
    return "".join(
        each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings, wide enough for whole ids when the output is a pipe."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    _console().print(table)


@contextmanager
def progress_of(graph: Mapping[str, Any]) -> Iterator[ShowJob]:
    """Show a job's progress: as a moving bar on a terminal, as lines anywhere else."""
    if not sys.stdout.isatty():
        yield _Lines(graph)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[status]:<9}"),
        BarColumn(bar_width=32),
        TaskProgressColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=_console()) as bar:
        yield _Bar(graph, bar)


class _Bar:
    def __init__(self, graph: Mapping[str, Any], bar: Progress) -> None:
        self._graph = graph
        self._bar = bar
        self._row = bar.add_task("", total=100, status="queued")

    def __call__(self, job: Job) -> None:
        where = describe_position(job, self._graph)
        status = printable(job.status)
        self._bar.update(self._row, completed=job.progress, description=where, status=status)


class _Lines:
    def __init__(self, graph: Mapping[str, Any]) -> None:
        self._graph = graph
        self._last = ""

    def __call__(self, job: Job) -> None:
        where = describe_position(job, self._graph)
        line = f"{printable(job.status):<9} {job.progress:3d}%  {where}".rstrip()
        if line != self._last:
            self._last = line
            print(line, flush=True)  # noqa: T201 (a pipe gets lines, not a bar)


def describe_position(job: Job, graph: Mapping[str, Any]) -> str:
    """Say which node a job is at, by title, and which step of how many."""
    if job.current_node is None:
        return ""
    node = graph.get(job.current_node)
    kind = node.get("class_type") if isinstance(node, dict) else None
    where = f"node {job.current_node}" + (f" {kind}" if isinstance(kind, str) else "")
    if job.total_steps:
        where += f", step {job.current_step or 0} of {job.total_steps}"
    return printable(where)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS, highlight=False)
