"""The scheduled tasks: repair every minute, clear away once a day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from comfy_runner.bucket import Bucket
from comfy_runner.media import FOLDER
from settings import Settings
from tasks import keys
from tasks.framework import runtime, task
from tasks.framework.stores import Store
from tasks.framework.task import registry
from tasks.framework.tick import purge as purge_records
from tasks.framework.tick import tick as sweep
from tasks.jobs import forget_keys

DAY = 86_400.0

RETENTION = 3 * DAY
"""How long a run's final stays beside the archive: two days longer than any run may take."""

PERIODIC_RETENTION = DAY
"""How long the record of a scheduled task's own run is of interest."""

MEDIA_RETENTION = 2 * DAY
"""How long an input file stays beyond the longest time that a job may wait and run."""

LASTING = ("key:", "catalogue:", "secret:", "slot:")
"""What is to last for as long as it is wanted, and what a long job holds: the sweep of every
minute reads all else that may become older than a week."""


@dataclass(frozen=True)
class _Files:
    """Where files lie, opened when it is needed, and how long input files stay there."""

    open_bucket: Callable[[], Bucket]
    seconds: float


_files: list[_Files] = []


def use(settings: Settings, open_bucket: Callable[[], Bucket]) -> None:
    """Choose, for this process, the bucket that `purge` clears of old input files."""
    longest = settings.queued_timeout_seconds + settings.job_timeout_seconds
    _files[:] = [_Files(open_bucket, longest + MEDIA_RETENTION)]


@task(cron="* * * * *", timeout=300)
def tick() -> int:
    """Expire what waited too long, send what was lost, repair what a dead process left."""
    return sweep(runtime().protocol)


@task(cron="17 3 * * *", timeout=3600)
def purge() -> int:
    """Drop records that nobody can ask for any more, and old input files; return how many.

    A file that a new job brings again is put again before it gets so old.

    Raises:
        StorageFailed: the bucket did not answer; the records have been dropped by then.
    """
    protocol = runtime().protocol
    dropped = purge_records(protocol, older_than=RETENTION)
    before = protocol.clock() - PERIODIC_RETENTION
    for declared in list(registry.values()):
        if declared.period:
            dropped += protocol.archive.purge(task=declared.name, before=before)
        protocol.archive.totals(declared.name)  # reading them sums up what has gathered
    dropped += forget_keys() + keys.forget_ended()
    keep_alive(protocol.store)
    for files in _files:
        before = protocol.clock() - files.seconds
        dropped += files.open_bucket().purge(FOLDER, before=before)
    return dropped


def keep_alive(store: Store) -> int:
    """Read each record that is to last, by itself; return how many there are.

    A store may drop what nobody has read or written for long: after a week, modal.Dict does
    (https://modal.com/docs/guide/dicts), and a scan may not count as reading. What belongs to a
    key is read before the key itself, lest what revokes it is dropped first.
    """
    names = [name for prefix in LASTING for name, _ in store.scan(prefix)]
    for name in sorted(names, reverse=True):
        store.get(name)
    return len(names)
