"""The sweep, as generators: every id that any key names is settled; nothing else repairs."""

from __future__ import annotations

from tests.protocol.model.rules import due, end, finish, free, lost, never, newest, spawn
from tests.protocol.model.terms import GRACE, LOSSES, STALE, M, Record, Steps


def tick(m: M) -> Steps:
    """Settle everything; drop the attempts that a final has left behind."""
    keys: dict[str, list[str]] = {}
    prefixes = ("job", "live", "call", "run", "stop") if m.has("sweep-all") else ("live",)
    for prefix in prefixes:
        for key in (yield "keys", prefix + ":"):
            keys.setdefault(key.split(":")[1], []).append(key)
    if m.has("sweep-slots"):
        for slot, held in (yield "items", "slot:"):
            yield from settle_slot(m, slot, held)
    for job_id, found in keys.items():
        over = yield from settle(m, job_id)
        if over and m.has("sweep-runs"):
            for key in found:
                if key.startswith("run:"):
                    yield "delete", key  # one that finish, counting upward, does not reach


def settle_slot(m: M, slot: str, held: Record) -> Steps:
    job_id, now = held["id"], (yield ("now",))
    job = yield "get", f"job:{job_id}"
    final = yield "get", f"final:{job_id}"
    if job and not job.get("void") and job["slot"] == slot:
        return  # in order; finish frees it
    if not job and not final:
        if now - held["at"] < GRACE:
            return  # a submission under way
        if m.has("void") and not (yield "add", f"job:{job_id}", {"void": True}):
            return  # it committed after all
    yield from free(m, slot, job_id)


def settle(m: M, job_id: str) -> Steps:
    """Bring one job a step nearer to its end. True if it has a final."""
    now = yield ("now",)
    job = yield "get", f"job:{job_id}"
    final = yield "get", f"final:{job_id}"  # after job
    if final:
        if m.has("tick-finishes"):
            yield from finish(m, final)
        return True
    if not job or job.get("void"):
        return False
    if now - job["created"] >= GRACE and m.has("tick-puts-live"):
        live = {"id": job_id, "owner": job["owner"], "created": job["created"]}
        yield "put", f"live:{job_id}", live
    yield from settle_attempts(m, job, now)
    return False


def settle_attempts(m: M, job: Record, now: int) -> Steps:  # noqa: C901
    job_id = job["id"]
    n, run = yield from newest(job_id)
    call = yield "get", f"call:{job_id}"
    if run and run.get("never"):
        return (yield from end(m, job_id, run["never"]))
    if n == 0 and now >= job["deadline"]:
        if (yield from never(m, job_id, "expired")) and call:
            yield "cancel", call["call"]
        return None
    if run and now - run["beat"] < STALE:
        return None
    if n and m.has("tick-revokes") and (yield "get", f"stop:{job_id}"):
        yield from end(m, job_id, "revoked", n)
        if call:
            yield "terminate", call["call"]  # its process may be there still, and not answer
        return None
    if now < due(run):
        return None  # parked
    gone = now - job["created"] >= GRACE
    if call:
        gone = not (yield "alive", call["call"])
    if gone and lost(m, run) > LOSSES:
        return (yield from end(m, job_id, "lost", n))
    if gone and m.has("tick-respawns"):
        yield from spawn(job_id)
    return None
