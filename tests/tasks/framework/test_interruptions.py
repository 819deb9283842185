"""How a body is stopped, and what is left when it was."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tasks.framework import Interrupted, State, Timing, current
from tasks.framework.execute import execute
from tasks.framework.heartbeat import Pacemaker
from tasks.framework.reading import read
from tasks.framework.seat import Seat
from tests.tasks.framework.bodies import declared, run
from tests.tasks.framework.rig import HandBackend, Rig, request


def test_a_stop_reaches_a_body_at_its_checkpoint(rig: Rig) -> None:
    began = threading.Event()

    def body() -> None:
        began.set()
        for _ in range(1000):
            threading.Event().wait(0.01)
            current.checkpoint()
        raise AssertionError("the stop never came")

    def revoke() -> None:
        assert began.wait(10)
        rig.protocol.revoke("J")

    revoker = threading.Thread(target=revoke)
    revoker.start()
    reading = run(rig, body)
    revoker.join()

    assert reading.state is State.REVOKED


@dataclass
class Nudging(HandBackend):
    """A backend that wakes one seat."""

    seat: Seat = field(default_factory=Seat)

    def nudge(self) -> None:
        self.seat.ring()


def test_a_nudge_has_a_body_hear_of_a_stop_long_before_its_next_beat() -> None:
    seat = Seat()

    def body() -> None:
        rig.protocol.revoke("J")
        for _ in range(500):
            threading.Event().wait(0.01)
            current.checkpoint()
        raise AssertionError("the stop never came")

    timing = Timing(stale=5000, grace=5000, beat=1000, report=1000)
    with Rig(backend=Nudging(seat=seat), timing=timing).configured() as rig, declared(body):
        rig.protocol.submit(request())
        execute({"id": "J"}, seat)
        reading = read(rig.protocol, "J")

    assert reading is not None
    assert reading.state is State.REVOKED


class CutShort(Pacemaker):
    """A pacemaker whose first rest is cut short by an interruption."""

    rests = 0

    def end(self) -> None:
        self.rests += 1
        if self.rests == 1:
            raise Interrupted("the process stops")
        super().end()


def test_an_interruption_that_strikes_late_leaves_no_heartbeat_behind(rig: Rig) -> None:
    seat = Seat()
    pacemaker = CutShort(seat)
    with declared(lambda: 1):
        rig.protocol.submit(request())
        execute({"id": "J"}, seat, pacemaker)
    pacemaker.close()

    assert pacemaker.rests == 3  # struck, made good, closed
    assert rig.backend.sent == 2  # handed back


def test_no_thread_outlives_an_execution(rig: Rig) -> None:
    with declared(lambda: 1):
        rig.protocol.submit(request())
        rig.deliver_all()

    assert "pacemaker" not in {thread.name for thread in threading.enumerate()}


def test_a_body_that_takes_longer_than_its_timeout_fails(rig: Rig) -> None:
    def body() -> None:
        for _ in range(1000):
            threading.Event().wait(0.01)
            current.checkpoint()

    reading = run(rig, body, timeout=0.1)

    assert reading.state is State.FAILED
    assert reading.error is not None
    assert reading.error["type"] == "RunTimeout"
    assert "0.1 s" in reading.error["message"]


def test_an_interruption_that_nobody_asked_for_hands_the_run_back(rig: Rig) -> None:
    ran: list[int] = []

    def body() -> str:
        ran.append(current.attempt)
        if current.attempt == 1:
            raise Interrupted("the process stops")
        return "done"

    reading = run(rig, body)

    assert ran == [1, 2]  # at once: nobody waited for the first beat to become stale
    assert reading.result == "done"
