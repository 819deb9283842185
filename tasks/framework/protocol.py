"""How runs are committed, claimed, ended and cleared away: first writer wins, anybody may finish.

The names and the order of steps are those of the protocol that a model checker explored; to
change a step, change the model first. Five principles carry it:

1. A decision is one `Store.add` on one key. Committed or abandoned is ``job:{id}``, started or
   never is ``run:{id}:1``, how it ended is ``final:{id}``.
2. Claim, then look: a worker reads ``stop`` and ``final`` after its claim and after every beat.
3. Whoever meets a final carries out `finish`, as often as it likes.
4. Read what gets deleted first, what decides last.
5. The tick settles every id that any key names, so a late writer needs no care.

====================  ==============================  =============================================
key                   value                           written by
====================  ==============================  =============================================
slot:{task}:{owner}:n Slot                            submitter, add
job:{id}              Job, or void                    submitter, add: the commit; tick adds voids
live:{id}             Live                            submitter, put; tick repairs
call:{id}             Call                            submitter, tick, put: only a hint
run:{id}:{n}          Run                             claiming worker, add, then put
stop:{id}             when it was asked               revoker, add, once attempt 1 exists
final:{id}            Final                           first of worker, tick, revoker, add
====================  ==============================  =============================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tasks.framework import signals
from tasks.framework.backends import Backend
from tasks.framework.errors import IdTaken, LimitReached
from tasks.framework.ledger import Ledger
from tasks.framework.records import (
    HANDED,
    LOST,
    RETRY,
    WORKER_LOST,
    Call,
    Claim,
    Ending,
    Final,
    Job,
    Live,
    Run,
    Slot,
)
from tasks.framework.states import State

GENERATIONS = 100
"""How often an id may have been abandoned before a submission gives up."""


@dataclass(frozen=True)
class Timing:
    """The protocol's clocks, in seconds, and how many lost attempts a run may have.

    ``stale`` and ``grace`` compare the clocks of two machines: keep both far above their skew.
    """

    stale: float = 30.0  # a heartbeat older than this is dead
    grace: float = 30.0  # a reservation older than this is abandoned
    beat: float = 1.0  # a worker writes its run at least this often
    report: float = 1.0  # and at most this often
    kill_after: float = 30.0  # a body that does not stop when told is ended with its process
    losses: int = 1


@dataclass(frozen=True)
class Protocol(Ledger):
    """The protocol over one store, archive and backend. Holds no state of its own."""

    backend: Backend
    clock: Callable[[], float]
    pool_of: Callable[[str], str]
    timing: Timing = Timing()

    # -- submit ----------------------------------------------------------------------------

    def submit(self, request: Job, *, limit: int | None = None) -> str:
        """Commit a request: slot, job, live, spawn, call, answer. Same id, same run.

        Returns the run's id, which is the request's own unless an earlier submission under it
        was abandoned.

        Raises:
            IdTaken: the id belongs to another request.
            LimitReached: the owner has ``limit`` unfinished runs of this task.
        """
        for _ in range(GENERATIONS):
            job = self.job(request.id)
            final = self.final(request.id)
            if not final and not job:
                final = self.archive.get(request.id)
            if final:
                _check_digest(request, final.digest)
                return request.id
            if job and job.void:
                request = replace(request, id=request.id + "+")
                continue
            won = False
            if not job:
                job = replace(request, slot=self.claim_slot(request, limit))
                won = self.store.add(f"job:{job.id}", job.to_json())
            if not won:
                job = self.job(request.id)
                if not job or job.void:
                    continue  # a stray slot is the tick's to free
            _check_digest(request, job.digest)
            self.put_live(job)  # retries too: the first submitter may have died here
            if won:
                signals.send(signals.queued, job)
            if won:
                self.spawn(job, job.due)
            return job.id
        raise IdTaken(request.id)

    def claim_slot(self, request: Job, limit: int | None) -> str | None:
        """Take the first free place under the owner's limit, or share one that names this id."""
        if limit is None or request.owner is None:
            return None
        for n in range(limit):
            slot = f"slot:{request.task}:{request.owner}:{n}"
            if self.store.add(slot, Slot(request.id, self.clock()).to_json()):
                return slot
            held = self.store.get(slot)
            if held and held["id"] == request.id:
                return slot
        raise LimitReached(request.task, request.owner, limit)

    def put_live(self, job: Job) -> None:
        """Make a committed run visible to listings."""
        live = Live(job.id, job.task, job.owner, job.created, job.deadline)
        self.store.put(f"live:{job.id}", live.to_json())

    def spawn(self, job: Job, due: float) -> None:
        """Have the backend deliver the run; one that cannot wait leaves that to the tick."""
        call = self.backend.submit(job.message, self.pool_of(job.task), due)
        if call is not None:
            self.store.put(f"call:{job.id}", Call(call).to_json())

    # -- one delivery ----------------------------------------------------------------------

    def claim(self, run_id: str, *, worker: str, wait: Callable[[], None]) -> Claim | None:
        """Claim the next attempt for a worker, then look. None: there is nothing to run.

        ``wait`` is called while an earlier attempt is still beating; it ends when that attempt
        does, or falls silent for ``Timing.stale`` seconds.
        """
        while True:
            now = self.clock()
            n, run = self.newest(run_id)
            job = self.job(run_id)
            if not job or job.void:
                self.settle_final(run_id)
                return None
            if run and run.never:
                self.end(run_id, Ending(State(run.never)))
                return None
            if run and now - run.beat < self.timing.stale:
                if self.settle_final(run_id):
                    return None
                wait()
                continue
            if run and now < run.due:
                return None  # parked: it is delivered again when it is due
            if n == 0 and job.deadline is not None and now >= job.deadline:
                if self.never(run_id, State.EXPIRED):
                    return None
                continue  # somebody started it first: the deadline concerns attempt 1 only
            if run and run.fallen > self.timing.losses:
                if not self.look(run_id, run):
                    self.end(run_id, Ending.of(State.FAILED, run, error=WORKER_LOST))
                return None
            mine = Run.of(job, run, worker=worker, now=now)
            if self.store.add(f"run:{run_id}:{n + 1}", mine.to_json()):
                break
        return None if self.look(run_id, mine) else Claim(job, mine)

    def beat(self, run_id: str, run: Run) -> bool:
        """Give a sign of life with what is known so far; True when the body has to stop."""
        self.store.put(f"run:{run_id}:{run.attempt}", run.to_json())
        return self.look(run_id, run)

    def look(self, run_id: str, run: Run | None) -> bool:
        """See whether the run was stopped or has ended; if so, carry that out."""
        stop = self.store.get(f"stop:{run_id}")  # before final: finish deletes it
        if self.settle_final(run_id):
            return True
        if stop:
            self.end(run_id, Ending.of(State.REVOKED, run))
            return True
        return False

    def hand_back(self, claim: Claim, *, send: bool = True) -> None:
        """Say that this attempt was asked to stop; look; send the run again: it costs nothing.

        Without ``send`` it is left to the platform, and to the tick, to deliver it once more.
        """
        handed = replace(claim.run, beat=0.0, ended=HANDED)
        self.silence(claim.job.id, handed)
        if not self.look(claim.job.id, handed) and send:  # as in park
            self.spawn(claim.job, self.clock())

    def park(self, claim: Claim, due: float) -> None:
        """Say that this attempt raised and the next one may start at ``due``; then look."""
        parked = replace(claim.run, beat=0.0, ended=RETRY, due=due)
        self.silence(claim.job.id, parked)
        if self.look(claim.job.id, parked):  # a revoker may have seen it running just before
            return
        signals.send(signals.retrying, parked, run_id=claim.job.id)
        self.spawn(claim.job, due)

    def silence(self, run_id: str, run: Run) -> None:
        """Declare an attempt over. For its own worker, or for who has seen that worker die."""
        silent = replace(run, beat=0.0, ended=run.ended or LOST)
        self.store.put(f"run:{run_id}:{run.attempt}", silent.to_json())

    # -- the end ---------------------------------------------------------------------------

    def never(self, run_id: str, state: State) -> bool:
        """Settle that the run never starts, by taking attempt 1 away from every worker."""
        key = f"run:{run_id}:1"
        self.store.add(key, Run(never=state).to_json())
        value = self.store.get(key)
        run = Run.from_json(value) if value else None
        if run and not run.never:
            return False  # somebody started first
        self.end(run_id, Ending(State(run.never) if run and run.never else state))
        return True

    def end(self, run_id: str, ending: Ending) -> None:
        """Try to be first to say how it ended; then carry out what the first one said."""
        job = self.job(run_id)
        if job and not job.void:
            final = Final.of(job, ending, self.clock())
            if self.store.add(f"final:{run_id}", final.to_json()):
                signals.send(signals.ENDINGS[final.state], final)
        self.settle_final(run_id)

    def settle_final(self, run_id: str) -> bool:
        """Finish the run if it has ended; say whether it has."""
        final = self.final(run_id)
        if final:
            self.finish(final)
        return final is not None

    def finish(self, final: Final) -> None:
        """Link, archive, clear away: by anybody, any number of times, from the final alone."""
        for follower in final.followers(self.clock()):
            self.submit(follower)
        self.archive.put(final)
        n = final.attempt + 1
        while self.store.get(f"run:{final.id}:{n + 1}"):
            n += 1
        runs = [f"run:{final.id}:{k}" for k in range(1, n + 1)]
        left = [f"live:{final.id}", *runs, f"stop:{final.id}", f"call:{final.id}"]
        if final.slot:
            self.store.delete(*left)
            self.free(final.slot, final.id)
            left = []
        self.store.delete(*left, f"job:{final.id}")

    def free(self, slot: str, run_id: str) -> None:
        """Delete the slot if it still names this run."""
        held = self.store.get(slot)
        if held and held["id"] == run_id:
            self.store.delete(slot, if_value=held)

    # -- revoke ----------------------------------------------------------------------------

    def revoke(self, run_id: str) -> bool:
        """Have a run not start, or stop. False: it is unknown or over already."""
        job = self.job(run_id)
        if not job or job.void:
            return False
        call = self.call(run_id)
        if not self.never(run_id, State.REVOKED):
            self.store.add(f"stop:{run_id}", {"asked": self.clock()})
            _, run = self.newest(run_id)
            if not run or run.beat > 0:
                self.backend.nudge()
                return True
            # between two attempts: nobody would look before the next
            self.end(run_id, Ending.of(State.REVOKED, run))
        if call:
            self.backend.cancel(call.call)
        return True


def _check_digest(request: Job, digest: str) -> None:
    if request.digest != digest:
        raise IdTaken(request.id)
