"""What Modal's signals do to a delivery, wherever they land."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import tasks.framework
from tasks.framework import State, current
from tasks.framework.backends.modal_seat import ModalSeat, deliver
from tests.tasks.framework.bodies import declared
from tests.tasks.framework.rig import HandBackend, Rig, request, state

CANCEL, LEAVE = signal.SIGUSR1, signal.SIGINT


class InputCancellation(BaseException):
    """What Modal's handler raises."""


FRAMEWORK = str(Path(tasks.framework.__file__).parent)

RAISES: dict[signal.Signals, type[BaseException]] = {
    CANCEL: InputCancellation,
    LEAVE: KeyboardInterrupt,
}

both = pytest.mark.parametrize("number", RAISES)


def on_cancel(number: int, frame: FrameType | None) -> None:
    raise InputCancellation


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Have the handlers that Modal has while it calls a function; see that they come back."""
    before = signal.signal(CANCEL, on_cancel)
    yield
    assert signal.getsignal(CANCEL) is on_cancel
    assert signal.getsignal(LEAVE) is signal.default_int_handler
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    signal.signal(CANCEL, before)


def delivered(run_id: str = "J") -> type[BaseException] | None:
    """Deliver it; return what Modal sees."""
    try:
        deliver({"id": run_id, "task": "t"}, ModalSeat())
    except BaseException as error:  # noqa: BLE001 - that is what Modal catches
        return type(error)
    return None


def struck(number: signal.Signals) -> Callable[[], str]:
    """Return a body whose first attempt hears a signal."""

    def body() -> str:
        if current.attempt == 1:
            signal.raise_signal(number)
        return f"attempt {current.attempt}"

    return body


def test_a_delivery_without_a_signal_ends_its_run(rig: Rig) -> None:
    with declared(lambda: 1):
        rig.protocol.submit(request())
        assert delivered() is None
    assert state(rig) is State.SUCCEEDED


@both
def test_a_run_that_nobody_stopped_is_handed_back_and_modal_sees_why(
    rig: Rig, number: signal.Signals
) -> None:
    with declared(struck(number)):
        rig.protocol.submit(request())
        assert delivered() is RAISES[number]
        # a cancelled call is over; one that lost its machine is delivered again by Modal
        assert rig.backend.sent == (2 if number == CANCEL else 1)
        assert delivered() is None
    final = rig.protocol.final("J")
    assert final is not None
    assert final.result == "attempt 2"


@both
def test_a_run_that_was_revoked_ends_so_and_modal_sees_the_signal(
    rig: Rig, number: signal.Signals
) -> None:
    def body() -> None:
        rig.protocol.revoke("J")
        signal.raise_signal(number)

    with declared(body):
        rig.protocol.submit(request())
        assert delivered() is RAISES[number]
    assert state(rig) is State.REVOKED
    assert rig.left() == []


def test_the_end_of_a_run_is_not_cut_short(rig: Rig) -> None:
    with declared(lambda: 1):
        rig.protocol.submit(request())
        with striking(CANCEL, at=lambda frame: frame.f_code.co_qualname == "Protocol.end"):
            assert delivered() is InputCancellation
    assert state(rig) is State.SUCCEEDED
    assert rig.left() == []


def test_a_body_that_is_stopped_by_the_records_is_interrupted_in_its_sleep(rig: Rig) -> None:
    def body() -> None:
        rig.protocol.revoke("J")
        threading.Event().wait(60)

    with declared(body):
        rig.protocol.submit(request())
        assert delivered() is None
    assert state(rig) is State.REVOKED


def test_each_delivery_has_a_name_of_its_own(rig: Rig) -> None:
    seat, names = ModalSeat(), set()
    with declared(lambda: 1):
        for run_id in ("J", "K"):
            rig.protocol.submit(request(run_id))
            deliver({"id": run_id, "task": "t"}, seat)
            names.add(seat.name)
    assert len(names) == 2


class Unreachable(HandBackend):
    """A backend whose sending fails in a way of its own."""

    def submit(self, message: Any, pool: str, due: float) -> str | None:
        raise TimeoutError("the network is gone")


def test_what_leaves_a_container_is_a_plain_error_that_says_what_it_was() -> None:
    with Rig(backend=Unreachable()).configured() as rig, declared(lambda: 1):
        with pytest.raises(TimeoutError):
            rig.protocol.submit(request(link={"task": "t"}))
        with pytest.raises(RuntimeError, match="TimeoutError: the network is gone"):
            deliver({"id": "J", "task": "t"}, ModalSeat())


def test_in_another_thread_a_run_is_carried_out_without_signals(rig: Rig) -> None:
    with declared(lambda: 1):
        rig.protocol.submit(request())
        thread = threading.Thread(target=delivered)
        thread.start()
        thread.join()
    assert state(rig) is State.SUCCEEDED


# -- a signal anywhere -----------------------------------------------------------------------


@contextmanager
def striking(number: signal.Signals, *, at: Callable[[FrameType], bool]) -> Iterator[None]:
    """Raise the signal once, at the first call within the framework for which that holds.

    Python hears signals where a function begins; a line in between may be one of a `with` that
    has taken its lock, where it does not.
    """
    done = False

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal done
        if (
            "/tasks/framework/" not in frame.f_code.co_filename
            or "/tests/" in frame.f_code.co_filename
        ):
            return None
        if event == "call" and not done and at(frame):
            done = True
            signal.raise_signal(number)
        return None

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)


class Countdown:
    """True for the call with that number."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self, frame: FrameType) -> bool:
        self.left -= 1
        return self.left < 0


def one_life(number: signal.Signals, nth: int) -> bool:
    """Have the signal land at the nth call; False when the delivery makes fewer."""
    ran: list[int] = []
    countdown = Countdown(nth)
    with Rig().configured() as rig, declared(lambda: ran.append(current.attempt)):
        rig.protocol.submit(request())
        with striking(number, at=countdown):
            seen = delivered()
        if countdown.left >= 0:
            return False
        assert seen is RAISES[number]
        rig.let_time_pass(3)
        assert state(rig) is State.SUCCEEDED, nth
        assert ran in ([1], [2], [1, 2]), nth
        assert rig.left() == [], nth
    return True


@both
def test_a_signal_at_any_call_loses_nothing_and_repeats_nothing(number: signal.Signals) -> None:
    calls = 0
    while one_life(number, calls):
        calls += 1
    assert calls > 50
