"""How chains and groups are carried out: by a few tasks of the framework's own.

The run of a canvas sends its first members and then waits, parked, holding no worker. Every
member's link is `advance`, which brings its canvas one step further: it sends the next call of
a chain, or ends the canvas in its place as any outsider may (`Protocol.end`: put-if-absent).
No rule of the protocol is new, and nothing is decided here but by an `add` on one key.

**No join is missed.** A member's link is sent once its final is written, and then reads the
finals of all the others, in any order; a read is never older than a completed write. Whichever
final was written last, the link behind it finds all of them, even if all end at the same moment:
of two links that each saw the other's member unfinished, each would have read before the other's
final, yet after its own, which cannot be. Several may find them all; `Protocol.end` lets one win.

**Nothing is lost.** Links are sent at least once by `Protocol.finish`, and members again and
again under one id each. Should a link fail for good, the canvas is due again by `LOOKS_AGAIN`
and sees for itself. If its own process dies twice in the moment of sending, it fails as lost.

**Revoked means stopped.** Who sends a member looks at the canvas's stop and final afterwards; who
revokes a canvas (`plan.revoke`) writes one of these and then revokes the members that it finds.
One of them sees the other. If the revoker dies, `stop` does it in its place, sent as the
canvas's ``link_error``; if the sender dies, the next attempt at its delivery. Only where that
delivery was the canvas's own, ended by the revoke, can a member run to its end in vain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.framework.context import current
from tasks.framework.plan import ADVANCE, CHAIN, GROUP, STOP, job_of, member_id, revoke
from tasks.framework.protocol import Protocol
from tasks.framework.reading import Reading, read
from tasks.framework.records import Ending, Final, Job, follower
from tasks.framework.runtime import runtime
from tasks.framework.states import State
from tasks.framework.task import task

WORDS = {State.FAILED: "failed", State.REVOKED: "was revoked", State.EXPIRED: "expired"}

MANY = 1000
"""How many groups are remembered like that."""

unfinished: dict[str, int] = {}
"""A member of each group that this process saw unfinished: read first, it may spare the rest."""


@task(name=CHAIN.name, retry=CHAIN.retry)
def run_chain(*_given: Any, calls: list[Any]) -> None:
    """Send the first step and wait."""
    del calls
    _carry_out(str(current.id))


@task(name=GROUP.name, retry=GROUP.retry)
def run_group(*_given: Any, calls: list[Any]) -> None:
    """Send every member and wait."""
    del calls
    _carry_out(str(current.id))


@task(name=ADVANCE.name, retry=ADVANCE.retry)
def advance(_member: str, canvas: str, index: int) -> None:
    """Bring a canvas one step further, now that a member has ended."""
    if len(unfinished) > MANY:
        unfinished.clear()
    _settle(runtime().protocol, canvas, index)


@task(name=STOP.name, retry=STOP.retry)
def stop(canvas: str, then: Mapping[str, Any] | None) -> None:
    """Revoke what a canvas that did not end well has under way; then send its own link."""
    protocol = runtime().protocol
    final = protocol.final(canvas)
    if final:
        _Members(protocol, final).stop(None)
    if then:
        protocol.submit(follower(canvas, "error.link", then, protocol.clock()))


def _carry_out(canvas: str) -> None:
    if not _settle(runtime().protocol, canvas, None):
        current.retry(reason="its members are under way")


def _settle(protocol: Protocol, canvas: str, ended: int | None) -> bool:
    """Do whatever can be done by now; say whether that was to end the canvas.

    ``ended`` is the member that has ended; None is the canvas itself, which sends every member
    that should be there and is not.
    """
    job = protocol.job(canvas)
    if job is None:  # an attempt before this one may have sent something and died
        final = protocol.final(canvas)
        if final and final.state is not State.SUCCEEDED:
            _Members(protocol, final).stop(ended)
        return False
    members, ending = _Members(protocol, job), None
    _, run = protocol.newest(canvas)
    try:
        ending = members.in_turn(ended) if members.chained else members.at_once(ended)
    finally:  # whoever stopped it meanwhile may have come too early for what was sent here
        if protocol.look(canvas, run):
            members.stop(ended)
    if ending is None:
        return False
    call = protocol.call(canvas)
    end = Ending.of(ending.state, run, result=ending.result, error=ending.error)
    protocol.end(canvas, end)
    if call and ended is not None:
        protocol.backend.cancel(call.call)  # nothing is left to see when it would be due
    return True


@dataclass(frozen=True)
class _Members:
    """What a canvas is made of, and where each of them stands."""

    protocol: Protocol
    canvas: Job | Final

    @property
    def chained(self) -> bool:
        """Whether they go in turn."""
        return self.canvas.task == CHAIN.name

    def in_turn(self, ended: int | None) -> Ending | None:
        """Send the next step, or say how the chain ended. None: it goes on."""
        result, given = None, self.canvas.args if ended is None else None
        for index in range(ended or 0, len(self.calls)):
            reading = self.read(index)
            if reading is None and given is not None:
                self.send(index, given)
            if reading is None or not reading.state.final:
                return None
            if reading.state is not State.SUCCEEDED:
                return self.failed(index, reading)
            result = reading.result
            given = [result]
        return Ending(State.SUCCEEDED, result)

    def at_once(self, ended: int | None) -> Ending | None:
        """Send what is missing, or say how the group ended. None: it goes on."""
        count = len(self.calls)
        for index in range(count) if ended is None else ():
            self.send(index, self.canvas.args)
        found: dict[int, Reading] = {}
        first = min(unfinished.pop(self.canvas.id, 0), count)
        for index in [*range(first, count), *range(first)]:
            reading = self.read(index)
            if reading is None or not reading.state.final:
                unfinished.update({self.canvas.id: index})
                return None
            found[index] = reading
        for index, reading in sorted(found.items()):
            if reading.state is not State.SUCCEEDED:
                return self.failed(index, reading)
        return Ending(State.SUCCEEDED, [found[index].result for index in range(count)])

    def stop(self, ended: int | None) -> None:
        """Revoke what may have been sent by who was told that this member has ended."""
        for index in range(len(self.calls)) if self.chained or ended is None else ():
            revoke(self.protocol, member_id(self.canvas.id, index))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The members, as they are described."""
        calls: list[dict[str, Any]] = self.canvas.kwargs["calls"]
        return calls

    def read(self, index: int) -> Reading | None:
        """Read one; None when it was not sent yet."""
        return read(self.protocol, member_id(self.canvas.id, index))

    def send(self, index: int, given: list[Any]) -> None:
        """Send one, however often that was done before."""
        now = self.protocol.clock()
        job = job_of(self.canvas.id, index, self.calls[index], given=given, now=now)
        self.protocol.submit(job)

    def failed(self, index: int, reading: Reading) -> Ending:
        """Say that the canvas fails because of one of its members."""
        known = {"task": reading.record.task, "id": reading.id, "state": reading.state.value}
        error = reading.error or {}
        told = f": {error.get('type', 'Error')}: {error.get('message', '')}" if error else ""
        message = (
            f"step {index + 1} of {len(self.calls)}, {known['task']} ({reading.id}), "
            f"{WORDS[reading.state]}{told}"
        )
        record = {"type": "StepFailed", "message": message, "details": known}
        return Ending(State.FAILED, error={**record, "traceback": error.get("traceback", "")})
