"""Our protocol with one rule dropped each: planted bugs that the explorer has to find."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from tasks.framework import signals
from tasks.framework.errors import LimitReached
from tasks.framework.protocol import Protocol
from tasks.framework.records import Claim, Ending, Final, Job, Run, Slot
from tasks.framework.states import State

SERIAL = itertools.count()


def as_(kind: type[Protocol], protocol: Protocol, **changes: Any) -> Protocol:
    """Return the same protocol as another class."""
    values = {item.name: getattr(protocol, item.name) for item in fields(Protocol)}
    return kind(**{**values, **changes})


class Blind(Protocol):
    """Does not look."""

    def look(self, run_id: str, run: Run | None) -> bool:
        return False


class LookThenClaim(Protocol):
    def claim(self, run_id: str, *, worker: str, wait: Callable[[], None]) -> Claim | None:
        if self.look(run_id, None):
            return None
        return as_(Blind, self).claim(run_id, worker=worker, wait=wait)


class NoWaitForBeat(Protocol):
    def claim(self, run_id: str, *, worker: str, wait: Callable[[], None]) -> Claim | None:
        hasty = as_(Protocol, self, timing=replace(self.timing, stale=-1))
        return hasty.claim(run_id, worker=worker, wait=wait)


class Undying(Protocol):
    def job(self, run_id: str) -> Job | None:
        job = super().job(run_id)
        return replace(job, deadline=None) if job else None


class WorkerDoesNotExpire(Protocol):
    def claim(self, run_id: str, *, worker: str, wait: Callable[[], None]) -> Claim | None:
        return as_(Undying, self).claim(run_id, worker=worker, wait=wait)


class Impatient(Protocol):
    def newest(self, run_id: str) -> tuple[int, Run | None]:
        n, run = super().newest(run_id)
        return n, replace(run, due=0) if run else None


class Suspicious(Protocol):
    """Counts every earlier attempt as lost, whatever it said."""

    def newest(self, run_id: str) -> tuple[int, Run | None]:
        n, run = super().newest(run_id)
        return n, replace(run, ended=None) if run else None


class FinalIsPut(Protocol):
    def end(self, run_id: str, ending: Ending) -> None:
        job = self.job(run_id)
        if job and not job.void:
            final = Final.of(job, ending, self.clock())
            self.store.put(f"final:{run_id}", final.to_json())
            signals.send(signals.ENDINGS[final.state], final)
        self.settle_final(run_id)


class LosersSignal(Protocol):
    def end(self, run_id: str, ending: Ending) -> None:
        job = self.job(run_id)
        if job and not job.void:
            final = Final.of(job, ending, self.clock())
            self.store.add(f"final:{run_id}", final.to_json())
            signals.send(signals.ENDINGS[final.state], final)
        self.settle_final(run_id)


class SlotNotShared(Protocol):
    def claim_slot(self, request: Job, limit: int | None) -> str | None:
        for n in range(limit or 0):
            slot = f"slot:{request.task}:{request.owner}:{n}"
            if self.store.add(slot, Slot(request.id, self.clock()).to_json()):
                return slot
        if limit and request.owner:
            raise LimitReached(request.task, request.owner, limit)
        return None


class RetryLeavesLive(Protocol):
    def submit(self, request: Job, *, limit: int | None = None) -> str:
        job = self.job(request.id)
        if job and not job.void:
            return job.id
        return super().submit(request, limit=limit)


class LiveLate(Protocol):
    def put_live(self, job: Job) -> None:
        """Leave it to the tick."""


class SlotBeforeLook(Protocol):
    def submit(self, request: Job, *, limit: int | None = None) -> str:
        self.claim_slot(request, limit)
        return super().submit(request, limit=limit)


class RecordFromJob(Protocol):
    def finish(self, final: Final) -> None:
        job = self.job(final.id)
        super().finish(replace(final, created=job.created if job else 0.0))


class DeletesBeforeArchive(Protocol):
    def finish(self, final: Final) -> None:
        self.store.delete(f"live:{final.id}")
        super().finish(final)


class LinkAnew(Protocol):
    def finish(self, final: Final) -> None:
        for follower in final.followers(self.clock()):
            self.submit(replace(follower, id=f"{final.id}.{next(SERIAL)}.link"))
        super().finish(replace(final, link=None))


class FreesAnySlot(Protocol):
    def free(self, slot: str, run_id: str) -> None:
        held = self.store.get(slot)
        if held:
            self.store.delete(slot, if_value=held)


class FreesBlindly(Protocol):
    def free(self, slot: str, run_id: str) -> None:
        held = self.store.get(slot)
        if held and held["id"] == run_id:
            self.store.delete(slot)


class NoNeverMark(Protocol):
    def never(self, run_id: str, state: State) -> bool:
        if self.newest(run_id)[0]:
            return False
        self.end(run_id, Ending(state))
        return True


class StopUnseen(Protocol):
    def look(self, run_id: str, run: Run | None) -> bool:
        return self.settle_final(run_id)


class FinalThenStop(Protocol):
    def look(self, run_id: str, run: Run | None) -> bool:
        over = self.final(run_id)
        stop = self.store.get(f"stop:{run_id}")
        if over:
            self.finish(over)
        elif stop:
            self.end(run_id, Ending.of(State.REVOKED, run))
        return bool(over or stop)


class ParksBlindly(Protocol):
    def park(self, claim: Claim, due: float) -> None:
        as_(Blind, self).park(claim, due)


class HandsBackBlindly(Protocol):
    def hand_back(self, claim: Claim, *, send: bool = True) -> None:
        as_(Blind, self).hand_back(claim, send=send)


class Unseeing(Protocol):
    def newest(self, run_id: str) -> tuple[int, Run | None]:
        return 0, None


class LeavesTheSilent(Protocol):
    def revoke(self, run_id: str) -> bool:
        return as_(Unseeing, self).revoke(run_id)


# -- the tick's own ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hiding:
    """A view of a store: some prefixes and keys look empty, some are not added or not deleted."""

    store: Any
    prefixes: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    swept: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def scan(self, prefix: str) -> Any:
        return iter(()) if prefix in self.prefixes else self.store.scan(prefix)

    def get(self, key: str) -> Any:
        return None if key.startswith(self.keys or ("\0",)) else self.store.get(key)

    def delete(self, *keys: str, if_value: Any = None) -> None:
        if not self.swept or not all(key.startswith(self.swept) for key in keys):
            self.store.delete(*keys, if_value=if_value)

    def add(self, key: str, value: Any) -> bool:
        return True if key.startswith(self.added or ("\0",)) else bool(self.store.add(key, value))


def live_only(protocol: Protocol) -> Protocol:
    hidden = ("job:", "call:", "run:", "stop:")
    return replace(protocol, store=Hiding(protocol.store, prefixes=hidden))


def slots_unswept(protocol: Protocol) -> Protocol:
    return replace(protocol, store=Hiding(protocol.store, prefixes=("slot:",)))


def no_void(protocol: Protocol) -> Protocol:
    return replace(protocol, store=Hiding(protocol.store, added=("job:",)))


def runs_unswept(protocol: Protocol) -> Protocol:
    """Whatever lies behind a gap stays: nothing but `finish` deletes attempts."""
    return replace(protocol, store=Hiding(protocol.store, swept=("run:",)))


class DoesNotFinish(Protocol):
    def settle_final(self, run_id: str) -> bool:
        return self.final(run_id) is not None


def does_not_finish(protocol: Protocol) -> Protocol:
    return as_(DoesNotFinish, protocol)


class DoesNotRespawn(Protocol):
    def spawn(self, job: Job, due: float) -> None:
        """Leave it."""


def does_not_respawn(protocol: Protocol) -> Protocol:
    return as_(DoesNotRespawn, protocol)


def does_not_revoke(protocol: Protocol) -> Protocol:
    return replace(protocol, store=Hiding(protocol.store, keys=("stop:",)))
