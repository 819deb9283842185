"""The life of one delivery: the only code that runs a body, on every backend."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from tasks.framework import signals
from tasks.framework.context import RunContext, running
from tasks.framework.errors import Interrupted
from tasks.framework.heartbeat import STOPPED, TIMEOUT, Heartbeat
from tasks.framework.message import round_trip
from tasks.framework.protocol import Protocol
from tasks.framework.records import Claim, Ending, Job, Json
from tasks.framework.runtime import Runtime, runtime
from tasks.framework.seat import Seat
from tasks.framework.states import State
from tasks.framework.task import find

log = logging.getLogger(__name__)


def execute(message: Json, seat: Seat | None = None) -> None:
    """Carry out one delivery of a run: claim, look, body, end.

    May be called any number of times for the same run, in any process; at most one call at a
    time runs the body. An interruption can land on any line between arming and disarming, so
    what has been claimed is found out from the records afterwards.
    """
    delivery = _Delivery(runtime(), message["id"], seat or Seat())
    try:
        with delivery.seat.armed():
            delivery.run()
    except Interrupted:
        delivery.interrupted()
    else:
        delivery.end()


class _Delivery:
    def __init__(self, chosen: Runtime, run_id: str, seat: Seat) -> None:
        self.runtime, self.run_id, self.seat = chosen, run_id, seat
        self.protocol: Protocol = chosen.protocol
        self.context: RunContext | None = None
        self.heartbeat: Heartbeat | None = None
        self.ending: Ending | None = None

    def run(self) -> None:
        claim = self.protocol.claim(self.run_id, worker=self.seat.name, wait=self._wait)
        if claim is None:
            return
        context = self.context = RunContext(claim, self.seat.ring)
        self.heartbeat = Heartbeat(context, self.protocol, self.seat)
        signals.send(signals.started, claim.run, run_id=self.run_id)
        self.ending = self._body(claim, context, self.heartbeat)

    def _wait(self) -> None:
        self.seat.wait(1.0)

    def _body(self, claim: Claim, context: RunContext, heartbeat: Heartbeat) -> Ending:
        token = running.set(context)
        try:
            with heartbeat:
                result = _call(self.runtime, claim.job)
            checked = round_trip(result, "result")
        except (Exception, SystemExit) as error:
            log.info("run %s failed", self.run_id, exc_info=True)
            return Ending.of(State.FAILED, context.peek(), error=error_record(error))
        finally:
            running.reset(token)
        return Ending.of(State.SUCCEEDED, context.peek(), result=checked)

    def end(self) -> None:
        """Say how it ended, with no interruption possible any more."""
        if self.ending:
            self.protocol.end(self.run_id, self.ending)

    def interrupted(self) -> None:
        """See what the interruption was about, and leave the records as it demands."""
        if self.heartbeat:
            self.heartbeat.stop()
        reason = self.context.stop_reason if self.context else None
        _, newest = self.protocol.newest(self.run_id)
        mine = self.context.peek() if self.context else newest
        if reason == TIMEOUT:
            limit = self.context.job.timeout if self.context else None
            error = {"type": "RunTimeout", "message": f"not finished after {limit:g} s"}
            self.protocol.end(self.run_id, Ending.of(State.FAILED, mine, error=error))
            return
        job = self.protocol.job(self.run_id)
        if mine is None or mine.worker != self.seat.name or not job or job.void:
            return  # nothing was claimed here, or it is over
        if reason == STOPPED or self.protocol.look(self.run_id, mine):
            return
        self.protocol.hand_back(Claim(job, mine))


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
