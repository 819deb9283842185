"""What has happened before a search begins: done by the same code, one party at a time."""

from __future__ import annotations

from tests.protocol.model.actor import Actor
from tests.protocol.model.terms import DELAY, JUMP
from tests.protocol.ours.parties import finishes, revokes, sends
from tests.protocol.ours.world import OurWorld, sweep


def nothing(w: OurWorld) -> None:
    """Nothing has happened."""


def committed(w: OurWorld) -> None:
    """J was sent and answered; its message waits."""
    w.enter("sender", sends("J"))
    w.runs(w.actors[-1])


def nearly_late(w: OurWorld) -> None:
    """J was sent so long ago that the next jump of the clock goes past its deadline."""
    committed(w)
    pass_time(w, JUMP)


def pass_time(w: OurWorld, seconds: int) -> None:
    w.clock += seconds
    w.checks.passes()


def delivered(w: OurWorld, call: int, until: str) -> Actor:
    """Deliver a message; its worker stands before such an operation."""
    w.deliver(call)
    w.runs(w.actors[-1], until)
    return w.actors[-1]


def under_way(w: OurWorld) -> None:
    """J has started; its body has not beaten yet."""
    committed(w)
    delivered(w, 0, "breath")


def done(w: OurWorld) -> None:
    """J has run, and is cleared away."""
    committed(w)
    delivered(w, 0, "")


def ended(w: OurWorld) -> None:
    """J has ended, and nobody has cleared it away: its worker died right then."""
    committed(w)
    dies(w, delivered(w, 0, "signal"))


def dead(w: OurWorld) -> None:
    """J has started, and its worker is dead and silent."""
    committed(w)
    dies(w, delivered(w, 0, "body"))
    pass_time(w, JUMP)


def dies(w: OurWorld, worker: Actor) -> None:
    w.crash(worker)
    w.crashed = False  # what happened before counts as nobody's death in the search


def overtaken(w: OurWorld) -> None:
    """Attempt 1 was taken for dead and is about to end; two more have asked for another."""
    committed(w)
    delivered(w, 0, "body")
    pass_time(w, JUMP)
    w.budget["retry"] = 2
    for call in (0, 1):
        worker = delivered(w, call, "body")
        w.apply(("retry", w.actors.index(worker)))
        w.runs(worker)
        pass_time(w, DELAY)


def freeing(w: OurWorld) -> None:
    """J has ended, and one who clears it away has just read who holds its place."""
    ended(w)
    w.enter("finisher", finishes)
    finisher = w.actors[-1]
    while finisher.op[:2] != ("get", "slot:t:o:0"):
        w.step(finisher)
    w.step(finisher)


def claiming_late(w: OurWorld) -> None:
    """A worker is about to claim J, and has been for so long that its deadline has passed."""
    nearly_late(w)
    delivered(w, 0, "add")
    pass_time(w, JUMP)


def dead_and_revoked(w: OurWorld) -> None:
    """J's worker is dead and silent, J was revoked, and a tick is about to see that."""
    dead(w)
    w.enter("revoker", revokes("J"))
    w.runs(w.actors[-1])
    w.enter("ticker", sweep)
    while w.actors[-1].op[:2] != ("get", "stop:J"):
        w.step(w.actors[-1])
