"""The life of one delivery: the only code that runs a body, on every backend."""

from __future__ import annotations

import contextlib
import logging
import random
import traceback
from dataclasses import dataclass
from typing import Any

from tasks.framework import signals
from tasks.framework.context import RunContext, running
from tasks.framework.errors import Interrupted, RetryRequested
from tasks.framework.heartbeat import STOPPED, TIMEOUT, Heartbeat, Pacemaker, timed_out
from tasks.framework.message import round_trip
from tasks.framework.protocol import Protocol
from tasks.framework.records import Claim, Ending, Job, Json
from tasks.framework.runtime import Runtime, runtime
from tasks.framework.seat import Seat
from tasks.framework.states import State
from tasks.framework.task import find, policy_of

log = logging.getLogger(__name__)

CHANCE = random.Random()
"""Where the jitter of retries comes from."""


def execute(message: Json, seat: Seat | None = None, pacemaker: Pacemaker | None = None) -> None:
    """Carry out one delivery of a run: claim, look, body, end.

    May be called any number of times for the same run, in any process; at most one call at a
    time runs the body. An interruption can land on any line between arming and disarming, so
    what has been claimed is found out from the records afterwards.
    """
    seat = seat or Seat()
    with contextlib.ExitStack() as stack:
        if pacemaker is None:
            pacemaker = Pacemaker(seat)
            stack.callback(pacemaker.close)
        delivery = _Delivery(runtime(), message["id"], seat, pacemaker)
        try:
            with seat.armed():
                delivery.run()
        except Interrupted:
            delivery.interrupted()
        else:
            delivery.end()


@dataclass(frozen=True)
class Parking:
    """The attempt raised; the next one is made after so many seconds."""

    seconds: float


class _Delivery:
    def __init__(self, chosen: Runtime, run_id: str, seat: Seat, pacemaker: Pacemaker) -> None:
        self.runtime, self.run_id = chosen, run_id
        self.seat, self.pacemaker = seat, pacemaker
        self.protocol: Protocol = chosen.protocol
        self.context: RunContext | None = None
        self.ending: Ending | Parking | None = None

    def run(self) -> None:
        claim = self.protocol.claim(self.run_id, worker=self.seat.name, wait=self._wait)
        if claim is None:
            return
        context = self.context = RunContext(claim, self.seat.ring)
        signals.send(signals.started, claim.run, run_id=self.run_id)
        self.ending = self._body(claim, context)

    def _wait(self) -> None:
        self.seat.wait(1.0)

    def _body(self, claim: Claim, context: RunContext) -> Ending | Parking:
        token = running.set(context)
        try:
            log.info("attempt %d of %s begins", claim.run.attempt, claim.job.task)
            self.pacemaker.begin(Heartbeat(context, self.protocol, self.seat))
            try:
                result = _call(self.runtime, claim.job)
            finally:
                self.pacemaker.end()
            checked = round_trip(result, "result")
        except (Exception, SystemExit, RetryRequested) as error:
            log.info("run %s failed", self.run_id, exc_info=True)
            return self._parking(claim, error) or Ending.of(
                State.FAILED, context.peek(), error=error_record(error)
            )
        else:
            log.info("attempt %d of %s has succeeded", claim.run.attempt, claim.job.task)
        finally:
            running.reset(token)
        return Ending.of(State.SUCCEEDED, context.peek(), result=checked)

    def _parking(self, claim: Claim, error: BaseException) -> Parking | None:
        """Say when to try again, if this error is worth it and attempts are left."""
        policy = policy_of(claim.job)
        tried = claim.run.tried + 1
        asked = isinstance(error, RetryRequested)
        if tried > policy.limit or not (asked or policy.covers(error)):
            return None
        after = error.after if isinstance(error, RetryRequested) else None
        return Parking(policy.after(tried, CHANCE) if after is None else max(0.0, after))

    def end(self) -> None:
        """Say how it ended, with no interruption possible any more."""
        if isinstance(self.ending, Parking) and self.context:
            due = self.protocol.clock() + self.ending.seconds
            self.protocol.park(Claim(self.context.job, self.context.peek()), due)
        elif isinstance(self.ending, Ending):
            self.protocol.end(self.run_id, self.ending)

    def interrupted(self) -> None:
        """See what the interruption was about, and leave the records as it demands."""
        self.pacemaker.end()
        reason = self.context.stop_reason if self.context else None
        _, newest = self.protocol.newest(self.run_id)
        mine = self.context.peek() if self.context else newest
        if reason == TIMEOUT and self.context:
            self.protocol.end(self.run_id, timed_out(self.context))
            return
        job = self.protocol.job(self.run_id)
        if mine is None or mine.worker != self.seat.name or not job or job.void:
            return  # nothing was claimed here, or it is over
        if reason == STOPPED or self.protocol.look(self.run_id, mine):
            return
        self.protocol.hand_back(Claim(job, mine), send=not self.seat.redelivered)


def _call(chosen: Runtime, job: Job) -> Any:
    task = find(job.task)
    if task.worker is None:
        return task.fn(*job.args, **job.kwargs)
    return task.fn(chosen.worker(task.worker), *job.args, **job.kwargs)


def error_record(error: BaseException) -> dict[str, Any]:
    """Describe an exception as JSON: type, message, details and traceback text.

    ``details`` is the exception's own attribute of that name, if it has one and it is JSON: how
    an error tells its reader more than a sentence.
    """
    try:
        details = round_trip(getattr(error, "details", None), "details")
    except Exception:  # a broken details property must not hide the error itself
        log.exception("the details of %r cannot be told", error)
        details = None
    return {
        "type": type(error).__name__,
        "message": str(error),
        "details": details,
        "traceback": "".join(traceback.format_exception(error)),
    }
