"""The sweep: every id that any key names is settled; nothing else repairs anything.

Part of the protocol (see `protocol`), in a module of its own.
"""

from __future__ import annotations

from tasks.framework.backends import Terminating
from tasks.framework.protocol import Protocol
from tasks.framework.records import WORKER_LOST, Ending, Job, Run, Slot
from tasks.framework.states import State

PREFIXES = ("job:", "live:", "call:", "run:", "stop:")


def tick(protocol: Protocol) -> int:
    """Expire, send, reconcile and clear whatever needs it; return how many ids were looked at.

    Safe to run at any time, in any number of processes, and to be killed at any point.
    """
    ids: dict[str, list[str]] = {}
    for prefix in PREFIXES:
        for key, _ in protocol.store.scan(prefix):
            ids.setdefault(key.split(":")[1], []).append(key)
    for slot, held in list(protocol.store.scan("slot:")):
        settle_slot(protocol, slot, Slot.from_json(held))
    for run_id, keys in ids.items():
        if settle(protocol, run_id):
            # finish goes by the number of attempts; a late claim can lie behind a gap
            protocol.store.delete(*(key for key in keys if key.startswith("run:")))
    return len(ids)


def settle_slot(protocol: Protocol, slot: str, held: Slot) -> None:
    """Free a place whose submission was abandoned, void, or took a second one."""
    now = protocol.clock()
    job = protocol.job(held.id)
    final = protocol.final(held.id)
    if job and not job.void and job.slot == slot:
        return  # in order: finish frees it
    if not job and not final:
        if now - held.at < protocol.timing.grace:
            return  # a submission under way
        void = Job(id=held.id, void=True, created=now)
        if not protocol.store.add(f"job:{held.id}", void.to_json()):
            return  # it committed after all
    protocol.store.delete(slot, if_value=held.to_json())


def settle(protocol: Protocol, run_id: str) -> bool:
    """Bring one run a step nearer to its end, if nobody else is; say whether it had ended."""
    now = protocol.clock()
    job = protocol.job(run_id)
    if protocol.settle_final(run_id):
        return True
    if not job or job.void:
        return False
    if now - job.created >= protocol.timing.grace:
        protocol.put_live(job)
    n, run = protocol.newest(run_id)
    call = protocol.call(run_id)
    if run and run.never:
        protocol.end(run_id, Ending(State(run.never)))
    elif n == 0 and job.deadline is not None and now >= job.deadline:
        if protocol.never(run_id, State.EXPIRED) and call:
            protocol.backend.cancel(call.call)
    elif not _beats(protocol, run, now):
        _settle_silent(protocol, job, run, call.call if call else None)
    return False


def _beats(protocol: Protocol, run: Run | None, now: float) -> bool:
    return run is not None and now - run.beat < protocol.timing.stale


def _settle_silent(protocol: Protocol, job: Job, run: Run | None, call: str | None) -> None:
    """Nobody beats: it waits, or is parked, or its worker has died."""
    due = max(job.due, run.due if run else 0.0)
    if run and protocol.store.get(f"stop:{job.id}"):
        protocol.end(job.id, Ending.of(State.REVOKED, run))
        if call and isinstance(protocol.backend, Terminating):
            protocol.backend.terminate(call)  # its process may be there still, and not answer
    elif protocol.clock() < due or not _gone(protocol, job, call, due):
        return
    elif run and run.fallen > protocol.timing.losses:
        protocol.end(job.id, Ending.of(State.FAILED, run, error=WORKER_LOST))
    else:
        protocol.spawn(job, due)


def _gone(protocol: Protocol, job: Job, call: str | None, due: float) -> bool:
    if call is not None:
        return not protocol.backend.alive(call)
    return protocol.clock() - max(job.created, due) >= protocol.timing.grace


def purge(protocol: Protocol, *, older_than: float) -> int:
    """Drop finals and voids that nobody can ask for any more; return how many.

    ``older_than`` is in seconds and has to exceed any run, pause or redelivery by two days: a
    submitter or worker asleep for longer could bring an id back to life.
    """
    oldest = protocol.clock() - older_than
    expired = [
        key
        for prefix in ("final:", "job:")
        for key, value in protocol.store.scan(prefix)
        if (value.get("void") and value["created"] < oldest)
        or ("ended" in value and value["ended"] < oldest)
    ]
    for key in expired:
        protocol.store.delete(key)
    return len(expired)
