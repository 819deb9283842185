"""What became of runs, counted in a bucket: once each, and cheap however many there were."""

from __future__ import annotations

import pytest

from tasks.framework.archives.bucket import BucketArchive
from tasks.framework.archives.bucket_totals import (
    LONGEST_SECONDS,
    MOST_TIMES,
    READING_SECONDS,
    SETTLED_SECONDS,
    SUMMED_UP,
    count_key,
)
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.states import State
from tests.tasks.framework.rig import HandClock
from tests.tasks.framework.shelf import Broken, Shelf
from tests.tasks.framework.test_bucket_archive import counted, final


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def keep(shelf: Shelf, clock: HandClock, count: int, name: str) -> BucketArchive:
    """Have that many runs counted, and let them settle."""
    archive = BucketArchive(shelf, clock)
    for n in range(count):
        record = final(f"{name}{n}", created=0.0, started=n / 4, ended=n / 2)
        shelf.put(count_key(record, clock.now + n / 1000), b"")
    clock.now += SETTLED_SECONDS + count / 1000
    return archive


def test_totals_are_those_of_an_archive_that_reads_everything(
    shelf: Shelf, clock: HandClock
) -> None:
    plain = MemoryArchive()
    archive = BucketArchive(shelf, clock)
    for n in range(SUMMED_UP + 100):
        record = final(f"r{n}", created=0.0, started=n / 4, ended=n / 2)
        plain.put(record)
        archive.put(record)
        clock.now += 10

    first, second = archive.totals("t"), archive.totals("t")

    assert first == second == plain.totals("t")
    assert [key for key in shelf.values if key.endswith("+")] != []


def test_reading_is_a_listing_and_a_read_however_many_there_were(
    shelf: Shelf, clock: HandClock
) -> None:
    for n in range(6):
        archive = keep(shelf, clock, SUMMED_UP, f"r{n}-")
        assert counted(archive) == SUMMED_UP * (n + 1)
    shelf.asked.clear()

    assert counted(archive) == SUMMED_UP * 6
    assert shelf.asked == {"list": 1, "get": 1}


def test_few_counts_or_young_ones_are_not_summed_up(shelf: Shelf, clock: HandClock) -> None:
    assert counted(keep(shelf, clock, SUMMED_UP - 1, "r")) == SUMMED_UP - 1
    assert counted(keep(shelf, clock, 3, "s")) == SUMMED_UP + 2
    sums = [key for key in shelf.values if key.endswith("+")]
    assert len(sums) == 1

    young = HandClock(clock.now)
    archive = keep(shelf, young, SUMMED_UP, "t")
    young.now = clock.now
    assert counted(archive) == 2 * SUMMED_UP + 2
    assert [key for key in shelf.values if key.endswith("+")] == sums


def test_what_an_old_sum_holds_is_removed_and_a_young_one_is_let_be(
    shelf: Shelf, clock: HandClock
) -> None:
    counted(keep(shelf, clock, SUMMED_UP, "a"))
    counted(keep(shelf, clock, SUMMED_UP, "b"))
    assert len(shelf.values) == 2 * SUMMED_UP + 2  # somebody may be reading past the first

    clock.now += READING_SECONDS
    archive = keep(shelf, clock, SUMMED_UP, "c")
    assert counted(archive) == 3 * SUMMED_UP
    assert len(shelf.values) == SUMMED_UP + 2
    assert counted(archive) == 3 * SUMMED_UP


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("writes", [0, 1])
def test_summing_up_that_broke_off_counts_nothing_twice(
    shelf: Shelf, clock: HandClock, writes: int, done: bool
) -> None:
    counted(keep(shelf, clock, SUMMED_UP, "a"))
    clock.now += READING_SECONDS
    archive = keep(shelf, clock, SUMMED_UP, "b")
    shelf.breaks, shelf.breaks_done = writes, done
    with pytest.raises(Broken):
        archive.totals("t")
    shelf.breaks = None

    assert counted(archive) == 2 * SUMMED_UP
    assert counted(archive) == 2 * SUMMED_UP


def test_two_who_sum_up_at_once_say_the_same(shelf: Shelf, clock: HandClock) -> None:
    class Raced(Shelf):
        """Somebody else reads the totals, a little later, just before this sum is written."""

        def add(self, key: str, value: bytes) -> bool:
            self.add = super().add  # type: ignore[method-assign]  # only once
            counted(BucketArchive(self, HandClock(clock.now + 1)))
            return super().add(key, value)

    raced = Raced()
    archive = keep(raced, clock, SUMMED_UP, "a")

    assert counted(archive) == SUMMED_UP
    assert counted(archive) == SUMMED_UP
    assert len(raced.under("totals/")) == SUMMED_UP + 2


def test_a_put_that_comes_again_after_it_was_summed_up_counts_nothing(
    shelf: Shelf, clock: HandClock
) -> None:
    archive = BucketArchive(shelf, clock)
    archive.put(final("again"))
    counted(keep(shelf, clock, SUMMED_UP, "a"))
    clock.now += READING_SECONDS
    counted(keep(shelf, clock, SUMMED_UP, "b"))
    archive.put(final("again"))

    assert counted(archive) == 2 * SUMMED_UP + 1


def test_names_and_times_that_fit_in_no_key_stay_uncounted_and_the_rest_is_kept(
    shelf: Shelf, clock: HandClock
) -> None:
    archive = BucketArchive(shelf, clock)
    odd = {"a-b": 1.0, "é": 1.0, "v2": 1.0, "x" * 41: 1.0, "load": 2.0}
    many = {f"t.{letter}": 1.0 for letter in "abcdefghijklmnopq"}
    archive.put(final("odd", kept={"times": odd}))
    archive.put(final("many", kept={"times": many}, ended=1e300))

    found = archive.totals("t")
    assert set(found.parts) == {"load", *list(many)[: MOST_TIMES - 2]}
    assert found.runs[State.SUCCEEDED].seconds == LONGEST_SECONDS + 2
    assert counted(archive) == 2
