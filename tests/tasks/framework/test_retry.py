"""Trying again: by policy or on request, parked in between, within limits."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.framework import Retry, State, current, signals
from tasks.framework.execute import execute
from tasks.framework.reading import read
from tasks.framework.records import Run
from tasks.framework.tick import tick
from tests.tasks.framework.bodies import declared
from tests.tasks.framework.rig import Rig, request

STEADY = Retry(limit=2, delay=60, backoff=3, jitter=0)


class Flaky:
    """A body that raises so many times, then returns."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.attempts: list[int] = []

    def __call__(self) -> str:
        self.attempts.append(current.attempt)
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def state(rig: Rig) -> State | None:
    reading = read(rig.protocol, "J")
    return reading.state if reading else None


def pass_time(rig: Rig, seconds: float) -> None:
    rig.clock.now += seconds
    tick(rig.protocol)
    rig.deliver_all()


def test_a_run_that_raises_is_parked_and_tried_again_when_it_is_due(rig: Rig) -> None:
    body = Flaky(OSError("one"), OSError("two"))
    with declared(body, retry=STEADY):
        rig.protocol.submit(request())
        rig.deliver_all()
        assert state(rig) is State.RETRYING
        pass_time(rig, 59)
        assert body.attempts == [1]
        pass_time(rig, 10)
        assert body.attempts == [1, 2]
        pass_time(rig, 170)
        assert body.attempts == [1, 2]
        pass_time(rig, 15)

    assert body.attempts == [1, 2, 3]
    assert state(rig) is State.SUCCEEDED
    assert rig.left() == []


def test_a_run_fails_with_its_last_error_when_its_retries_are_used_up(rig: Rig) -> None:
    with declared(Flaky(*[OSError(str(n)) for n in range(9)]), retry=STEADY):
        rig.protocol.submit(request())
        for _ in range(4):
            pass_time(rig, 1000)
    reading = read(rig.protocol, "J")

    assert reading is not None
    assert reading.state is State.FAILED
    assert reading.error is not None
    assert reading.error["message"] == "2"


@pytest.mark.parametrize(
    ("policy", "error"),
    [
        (Retry(on=(OSError,)), ValueError("not worth it")),
        (Retry(never=(FileNotFoundError,)), FileNotFoundError("never")),
        (Retry(limit=0), OSError("no retries")),
    ],
)
def test_an_error_that_is_not_worth_it_fails_at_once(
    rig: Rig, policy: Retry, error: Exception
) -> None:
    with declared(Flaky(error), retry=policy):
        rig.protocol.submit(request())
        rig.deliver_all()

    assert state(rig) is State.FAILED


def test_a_body_can_ask_for_another_attempt_and_say_when(rig: Rig) -> None:
    seen: list[int] = []

    def body() -> str:
        seen.append(current.attempt)
        if current.attempt == 1:
            current.retry(after=5, reason="not yet")
        return "done"

    with declared(body, retry=Retry(limit=1, on=())):
        rig.protocol.submit(request())
        rig.deliver_all()
        assert state(rig) is State.RETRYING
        pass_time(rig, 11)

    assert seen == [1, 2]
    assert state(rig) is State.SUCCEEDED


def test_a_body_that_asks_once_too_often_fails_with_its_reason(rig: Rig) -> None:
    with declared(lambda: current.retry(after=0, reason="the other side is down"), retry=2):
        rig.protocol.submit(request())
        for _ in range(4):
            pass_time(rig, 10)
    reading = read(rig.protocol, "J")

    assert reading is not None
    assert reading.state is State.FAILED
    assert reading.error is not None
    assert reading.error["message"] == "the other side is down"


def test_a_parked_run_that_is_revoked_ends_at_once(rig: Rig) -> None:
    body = Flaky(OSError())
    with declared(body, retry=STEADY):
        rig.protocol.submit(request())
        rig.deliver_all()
        assert rig.protocol.revoke("J") is True
        assert state(rig) is State.REVOKED
        pass_time(rig, 1000)

    assert body.attempts == [1]
    assert rig.left() == []


def test_a_parked_run_does_not_expire(rig: Rig) -> None:
    with declared(Flaky(OSError()), retry=STEADY):
        rig.protocol.submit(request(deadline=rig.clock.now + 30))
        rig.deliver_all()
        pass_time(rig, 70)

    assert state(rig) is State.SUCCEEDED


def test_a_delivery_that_comes_too_early_runs_nothing(rig: Rig) -> None:
    body = Flaky(OSError())
    with declared(body, retry=STEADY):
        rig.protocol.submit(request())
        rig.deliver_all()
        execute({"id": "J"})

    assert body.attempts == [1]
    assert state(rig) is State.RETRYING


def test_lost_attempts_are_counted_apart_from_those_that_raised(rig: Rig) -> None:
    body = Flaky(OSError())
    with declared(body, retry=STEADY):
        rig.protocol.submit(request())
        first = rig.protocol.claim("J", worker="dies", wait=lambda: None)
        assert first is not None
        rig.clock.now += 10
        rig.deliver_all()  # attempt 2 raises
        pass_time(rig, 70)  # attempt 3 is made

    assert body.attempts == [2, 3]
    assert state(rig) is State.SUCCEEDED


def test_an_attempt_that_was_handed_back_costs_nothing(rig: Rig) -> None:
    rig.protocol.submit(request())
    for _ in range(5):
        claimed = rig.protocol.claim("J", worker="w", wait=lambda: None)
        assert claimed is not None
        assert (claimed.run.losses, claimed.run.tried) == (0, 0)
        rig.protocol.hand_back(claimed)


def test_a_retry_is_signalled_with_its_due_time(rig: Rig) -> None:
    heard: list[tuple[str, float]] = []

    def hear(run: Run, run_id: str) -> None:
        heard.append((run_id, run.due))

    with declared(Flaky(OSError()), retry=STEADY), signals.retrying.connected_to(hear):
        rig.protocol.submit(request())
        rig.deliver_all()

    assert heard == [("J", rig.clock.now + 60)]


def test_a_sending_may_change_the_numbers_of_the_policy(rig: Rig) -> None:
    body = Flaky(OSError())
    with declared(body, retry=0) as task:
        result = task.apply_async(retry=Retry(limit=1, delay=0, jitter=0))
        rig.deliver_all()
        pass_time(rig, 10)
        assert result.get(1) == "done"
        with pytest.raises(ValueError, match="belong to the declaration"):
            task.apply_async(retry=Retry(on=(KeyError,)))


@given(
    st.builds(
        Retry,
        limit=st.integers(0, 1000),
        delay=st.floats(0, 1e6),
        backoff=st.floats(1, 1e3),
        max_delay=st.floats(0, 1e6),
        jitter=st.floats(0, 1),
    ),
    st.integers(1, 10_000),
)
def test_a_delay_is_never_negative_and_never_far_above_its_maximum(
    policy: Retry, tried: int
) -> None:
    delay = policy.after(tried, random.Random(0))
    assert 0 <= delay <= 2 * policy.max_delay


def test_delays_grow_up_to_their_maximum() -> None:
    policy = Retry(delay=1, backoff=2, max_delay=5, jitter=0)
    assert [policy.after(n, random.Random(0)) for n in (1, 2, 3, 4)] == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("field", "value"),
    [("limit", -1), ("delay", -1), ("backoff", 0.5), ("max_delay", -1), ("jitter", 1.5)],
)
def test_a_policy_that_makes_no_sense_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        Retry(**{field: value})
