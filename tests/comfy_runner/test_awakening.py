"""What of a worker's start a job has waited for, by clocks that tell what they are told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from comfy_runner.awakening import BOOT, RESTORE, WAKE, WARM_UP, Awakening


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def awakening(clock: Clock) -> Awakening:
    return Awakening(clock)


@pytest.fixture
def spend(clock: Clock, awakening: Awakening) -> Callable[[str, float], None]:
    """Let a part of the start take so many seconds."""

    def spend(name: str, seconds: float) -> None:
        with awakening.measure(name):
            clock.now += seconds

    return spend


Spend = Callable[[str, float], None]


def test_a_job_that_was_there_before_is_charged_with_the_whole_start(
    awakening: Awakening, clock: Clock, spend: Spend
) -> None:
    spend(BOOT, 8.0)
    clock.now += 3.0  # the snapshot is taken
    spend(WAKE, 2.0)
    spend(WARM_UP, 5.0)
    assert awakening.charge(990.0, clock.now) == {WAKE: 10.0, RESTORE: 3.0, WARM_UP: 5.0}


def test_only_the_first_job_after_a_start_is_charged(
    awakening: Awakening, clock: Clock, spend: Spend
) -> None:
    spend(WAKE, 2.0)
    awakening.charge(990.0, clock.now)
    assert awakening.charge(990.0, clock.now + 60.0) == {WAKE: 0.0, RESTORE: 0.0, WARM_UP: 0.0}
    spend(WAKE, 4.0)
    assert awakening.charge(990.0, clock.now)[WAKE] == 4.0


def test_a_job_pays_for_that_part_only_which_it_has_waited_for(
    awakening: Awakening, clock: Clock, spend: Spend
) -> None:
    spend(WAKE, 10.0)
    assert awakening.charge(1007.0, clock.now)[WAKE] == 3.0


def test_a_job_that_came_when_the_worker_was_awake_pays_nothing(
    awakening: Awakening, clock: Clock, spend: Spend
) -> None:
    spend(BOOT, 8.0)
    spend(WAKE, 2.0)
    clock.now += 60.0
    told = awakening.charge(clock.now, clock.now + 1.0)
    assert told == {WAKE: 0.0, RESTORE: 0.0, WARM_UP: 0.0}


def test_of_a_snapshot_made_earlier_nobody_knows_how_long_taking_it_up_took(
    awakening: Awakening, clock: Clock, spend: Spend
) -> None:
    spend(BOOT, 8.0)
    clock.now += 86_400.0
    submitted = clock.now
    clock.now += 6.0
    spend(WAKE, 2.0)
    assert awakening.charge(submitted, clock.now) == {WAKE: 2.0, WARM_UP: 0.0}


def test_a_boot_that_the_wake_had_to_repeat_counts_once(
    awakening: Awakening, clock: Clock, spend: Spend
) -> None:
    with awakening.measure(WAKE):
        clock.now += 1.0
        spend(BOOT, 8.0)
    assert awakening.charge(990.0, clock.now)[WAKE] == 9.0
