"""What ended jobs have used of workers, added up by user, day or GPU."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, takewhile

from tasks.framework import runtime
from tasks.framework.archives import Position
from tasks.framework.reading import Reading
from tasks.jobs.reading import beginning, cursor_of
from tasks.metering import Use
from tasks.workflow import run_workflow

MOST_JOBS = 200
"""How many records one call reads at most: where they lie in a bucket, each costs a request."""

PAGE = 50
"""How many of them are asked for at a time."""


class By(enum.StrEnum):
    """What jobs are added up by."""

    USER = "user"
    DAY = "day"
    GPU = "gpu"


@dataclass(frozen=True)
class Sum:
    """Of some jobs: how many, the seconds they had a worker, and what those with a price cost.

    `name` is the user, the day of submission in UTC, or the GPU; None is what has none.
    """

    name: str | None
    jobs: int = 0
    seconds: float = 0.0
    usd: float | None = None

    def plus(self, use: Use) -> Sum:
        """Return the sum with one more job."""
        usd = self.usd if use.usd is None else (self.usd or 0.0) + use.usd
        return Sum(self.name, self.jobs + 1, self.seconds + use.seconds, usd)


@dataclass(frozen=True)
class Usage:
    """Sums over some jobs; `next` is the cursor of the rest, if there is one."""

    sums: tuple[Sum, ...]
    next: str | None


def usage(
    by: By,
    *,
    user_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str | None = None,
) -> Usage:
    """Add up the newest `MOST_JOBS` of the ended jobs that were submitted in that time.

    Whoever wants all of them calls again with ``after`` and adds the sums of a name together.

    Args:
        by: what to add up by.
        user_id: whose jobs; None means everybody's.
        since: none that was submitted before.
        until: only those submitted before.
        after: the ``next`` of an earlier call.

    Raises:
        InvalidCursor: ``after`` is not the ``next`` of an earlier call.
    """
    oldest = since.timestamp() if since else 0.0
    told = takewhile(lambda each: each.created >= oldest, _ended(user_id, beginning(after, until)))
    found = list(islice(told, MOST_JOBS + 1))
    sums: dict[str | None, Sum] = {}
    for reading in found[:MOST_JOBS]:
        name = _name(reading, by)
        sums[name] = sums.get(name, Sum(name)).plus(_use(reading))
    ordered = sorted(sums.values(), key=lambda each: (each.name is None, each.name or ""))
    more = cursor_of(found[MOST_JOBS - 1].position) if len(found) > MOST_JOBS else None
    return Usage(tuple(ordered), more)


def _ended(user_id: str | None, after: Position | None) -> Iterator[Reading]:
    """Yield ended jobs, newest first, a page at a time, to the last."""
    archive = runtime().protocol.archive
    while page := archive.list(task=run_workflow.name, owner=user_id, after=after, limit=PAGE):
        for final in page:
            yield Reading(final.id, final, final.ended)
        after = page[-1].position


def _use(reading: Reading) -> Use:
    """Return what the job used; of one that nobody has metered, the time that it ran."""
    use = Use.of(reading)
    if use is not None:
        return use
    ran = (reading.ended or 0.0) - reading.started if reading.started else 0.0
    return Use(None, max(0.0, ran), None)


def _name(reading: Reading, by: By) -> str | None:
    if by is By.USER:
        return reading.owner
    if by is By.GPU:
        return _use(reading).gpu
    return datetime.fromtimestamp(reading.created, UTC).date().isoformat()
