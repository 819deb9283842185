"""The scheduled tasks: repair every minute, clear away once a day."""

from __future__ import annotations

from tasks.framework import runtime, task
from tasks.framework.task import registry
from tasks.framework.tick import purge as purge_records
from tasks.framework.tick import tick as sweep

DAY = 86_400.0

RETENTION = 3 * DAY
"""How long a run's final stays beside the archive: two days longer than any run may take."""

PERIODIC_RETENTION = DAY
"""How long the record of a scheduled task's own run is of interest."""


@task(cron="* * * * *", timeout=300)
def tick() -> int:
    """Expire what waited too long, send what was lost, repair what a dead process left."""
    return sweep(runtime().protocol)


@task(cron="17 3 * * *", timeout=3600)
def purge() -> int:
    """Drop records that nobody can ask for any more; return how many."""
    protocol = runtime().protocol
    dropped = purge_records(protocol, older_than=RETENTION)
    before = protocol.clock() - PERIODIC_RETENTION
    for declared in list(registry.values()):
        if declared.period:
            dropped += protocol.archive.purge(task=declared.name, before=before)
    return dropped
