"""How runs of tasks look on a terminal: tables, and everything about one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from commands.terminal import print_table
from tasks.framework import State
from tasks.framework.agenda import Appointment
from tasks.framework.inspection import MAX_LIVE, Details, Listing
from tasks.framework.reading import Reading
from tasks.framework.records import Job
from tasks.framework.survey import Survey

SHOWN_CHARACTERS = 500
"""How much of an argument or result is shown."""

IN_PLACES = ("owner", "slot", "worker")
VALUES = ("args", "kwargs", "headers", "retry", "meta", "result", "link", "link_error")
TIMES = ("created", "due", "deadline", "started", "beat", "ended")


def show_listing(found: Listing) -> None:
    """Print runs as a table."""
    if not found.runs:
        click.echo("No runs.")
        return
    headings = ("RUN", "TASK", "STATE", "ATTEMPT", "OWNER", "SENT", "STARTED", "ENDED")
    print_table(headings, [_row(run) for run in found.runs])
    if found.more:
        click.echo("There are more; --limit shows up to 1000.")


def show_survey(found: Survey) -> None:
    """Print three tables: tasks, pools and workers."""
    states = [state.value.upper() for state in State]
    rows = [
        (task.task, *(_count(task.counts.get(state, 0)) for state in State), _wait(task.oldest))
        for task in found.tasks
    ]
    print_table(("TASK", *states, "OLDEST WAITS"), rows)
    click.echo(f"\nFinished runs are those sent in the last {found.span / 3600:g} hours.")
    cut = [task.task for task in found.tasks if task.cut]
    if cut:
        click.echo(f"There are more than were counted of {', '.join(cut)}.")
    if found.cut:
        click.echo(f"Only {MAX_LIVE} unfinished runs were counted; there are more.")
    click.echo()
    pools = [(pool.pool, _count(pool.waiting), _wait(pool.oldest)) for pool in found.pools]
    print_table(("POOL", "WAITING", "OLDEST WAITS"), pools)
    click.echo()
    if not found.workers:
        click.echo("No worker runs here.")
        return
    workers = [
        (each.name, "ready" if each.ready else "starting", each.run or "")
        for each in found.workers
    ]
    print_table(("WORKER", "", "RUN"), workers)


def show_agenda(found: Sequence[Appointment]) -> None:
    """Print periodic tasks as a table."""
    rows = [
        (
            each.task,
            each.period,
            local(each.last.created) if each.last else "",
            each.last.state.value if each.last else "",
            local(each.next),
        )
        for each in found
    ]
    print_table(("TASK", "PERIOD", "LAST SENT", "STATE", "NEXT"), rows)


def facts_of(found: Details) -> list[tuple[str, str]]:
    """Return everything about a run, named, without what is empty."""
    fields = found.fields
    error = fields.get("error") or {}
    facts = [
        ("run", found.reading.id),
        ("task", f"{fields['task']} (pool {fields['pool']})"),
        ("state", _state(found)),
        ("attempt", _attempt(fields)),
        *((name, fields.get(name) or "") for name in IN_PLACES),
        *((name, local(fields.get(name))) for name in TIMES),
        ("timeout", f"{fields['timeout']:g} s" if fields.get("timeout") else ""),
        *((name, _shortened(fields.get(name))) for name in VALUES),
        ("error", f"{error.get('type')}: {error.get('message')}" if error else ""),
        ("details", _shortened(error.get("details"))),
    ]
    facts += [("child", f"{child.id} ({child.state})") for child in found.children]
    facts += [("log", line) for line in fields.get("logs", ())]
    facts += [("traceback", line) for line in (error.get("traceback") or "").splitlines()]
    return [(name, value) for name, value in facts if value]


def local(seconds: float | None) -> str:
    """Return a moment by the clocks of this machine; none, and the mark 0, are empty."""
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}" if seconds else ""


def _row(run: Reading) -> tuple[str, ...]:
    return (
        run.id,
        run.record.task,
        run.state.value,
        "" if isinstance(run.record, Job) else str(run.record.attempt or ""),
        run.owner or "",
        local(run.created),
        local(run.started),
        local(run.ended),
    )


def _state(found: Details) -> str:
    told = found.reading.state.value
    if found.stop_asked:
        told += f", asked to stop at {local(found.stop_asked)}"
    if found.waiting and found.reading.state is not State.STARTED:
        told += ", with a delivery waiting"
    return told


def _attempt(fields: Mapping[str, Any]) -> str:
    if not fields.get("attempt"):
        return ""
    told = str(fields["attempt"])
    if fields.get("attempt_ended"):
        told += f", ended as {fields['attempt_ended']}"
    if fields.get("tried") or fields.get("losses"):
        told += f" ({fields['tried']} before it raised, {fields['losses']} lost their worker)"
    return told


def _shortened(value: Any) -> str:
    if not value and not isinstance(value, int | float):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}... ({len(text)} characters; --json shows all)"


def _count(number: int) -> str:
    return str(number) if number else ""


def _wait(seconds: float | None) -> str:
    return "" if seconds is None else f"{max(0.0, seconds):.0f} s"
