"""What an operator's tools ask of a deployment: what waits, who works, what became of jobs."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.framework import runtime
from tasks.framework.queueing import in_hand
from tasks.framework.queueing import waiting as waiting_for
from tasks.framework.queueing import workers as workers_of
from tasks.framework.totals import Totals
from tasks.webhook import deliver_webhook
from tasks.workflow import run_workflow

MOST_WAITING = 100_000
"""How many waiting jobs are counted at most, so that it costs the same in every queue."""


@dataclass(frozen=True)
class Figures:
    """The jobs and the workers of a deployment, the same whichever process is asked.

    ``workers`` is None where nobody can tell. ``totals`` never fall while the records are kept,
    and count each job once.
    """

    queued: int
    running: int
    workers: int | None
    totals: Totals
    deliveries: Totals


def figures() -> Figures:
    """Return the figures as they are now; it costs the same however many jobs there were."""
    protocol, task = runtime().protocol, run_workflow.name
    return Figures(
        queued=queued(),
        running=len(in_hand(protocol, task)),
        workers=workers(),
        totals=protocol.archive.totals(task),
        deliveries=protocol.archive.totals(deliver_webhook.name),
    )


def queued(most: int = MOST_WAITING) -> int:
    """Count the jobs that wait for a worker, up to ``most``."""
    return waiting_for(runtime().protocol, run_workflow.name, most)


def workers() -> int | None:
    """Count the workers that take jobs or are busy with one. None: nobody can tell."""
    return workers_of(runtime().protocol, run_workflow.name)


def ask_store() -> None:
    """Read something from where records are kept; raise whatever it raises."""
    protocol = runtime().protocol
    protocol.job("-")
    protocol.archive.get("-")
