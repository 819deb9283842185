"""What a job looks like from outside, as generators: one job, a poller, listings."""

from __future__ import annotations

from tests.protocol.model.rules import newest
from tests.protocol.model.terms import M, Steps


def read(m: M, job_id: str) -> Steps:
    """Read final; run; without a run, final once more; job; archive."""
    if (yield "get", f"final:{job_id}"):
        return "final"
    _, run = yield from newest(job_id)
    if run and not run.get("never"):
        return "running"
    if m.has("read-final-again") and (yield "get", f"final:{job_id}"):
        return "final"
    job = yield "get", f"job:{job_id}"
    if job and not job.get("void"):
        return "queued"
    return "final" if (yield "archive_get", job_id) else "unknown"


def poll(m: M, job_id: str, times: int = 3) -> Steps:
    for _ in range(times):
        state = yield from read(m, job_id)
        yield "seen", job_id, state


def listing(m: M, owner: str) -> Steps:
    """Scan live first, then the archive; an id in both is the archive's."""
    before = yield ("acked",)
    if m.has("live-then-archive"):
        live = yield "items", "live:"
        done = yield "archive_list", owner
    else:
        done = yield "archive_list", owner
        live = yield "items", "live:"
    mine = [value["id"] for _, value in live if value["owner"] == owner]
    fresh = [job_id for job_id in mine if job_id not in done or not m.has("dedupe")]
    yield "listed", before, [*done, *fresh]


def listing_ended(m: M, owner: str) -> Steps:
    """List what has ended: scan the runs first, then the archive; read each run that is there.

    Whatever has ended has a run, or the mark that it never starts, until it is archived.
    """
    before = yield ("ended",)
    if m.has("runs-then-archive"):
        runs = yield "items", "run:"
        done = yield "archive_list", owner
    else:
        done = yield "archive_list", owner
        runs = yield "items", "run:"
    begun = {key.split(":")[1] for key, _ in runs}
    fresh = []
    for job_id in sorted(begun.difference(done)):
        if (yield from read(m, job_id)) == "final":
            fresh.append(job_id)
    yield "listed", before, [*done, *fresh]
