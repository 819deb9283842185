"""Finished records in a bucket: what a crash leaves, what it costs, what lies where."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.framework.archives import Archive
from tasks.framework.archives.bucket import BucketArchive
from tasks.framework.records import Final
from tasks.framework.states import FINAL_STATES, State
from tests.tasks.framework.rig import HandClock
from tests.tasks.framework.shelf import Broken, Shelf

WRITES = 4
"""So many writes keep a record."""


def final(run_id: str, **changes: Any) -> Final:
    values: dict[str, Any] = {
        "task": "t",
        "state": State.SUCCEEDED,
        "owner": "o",
        "slot": None,
        "created": 1.0,
        "started": 2.0,
        "ended": 4.0,
        "digest": "d",
    }
    return Final(id=run_id, **{**values, **changes})


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def archive(shelf: Shelf, clock: HandClock) -> BucketArchive:
    return BucketArchive(shelf, clock)


def listings(archive: Archive) -> list[list[str]]:
    """The ids that every way of listing gives."""
    ways: list[dict[str, Any]] = [
        {},
        {"owner": "o"},
        {"states": [State.SUCCEEDED]},
        {"owner": "o", "states": [State.SUCCEEDED]},
    ]
    return [[record.id for record in archive.list(task="t", **way)] for way in ways]


def counted(archive: Archive) -> int:
    return sum(sum(times.counts) for times in archive.totals("t").waits.values())


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("writes", range(WRITES))
def test_the_next_put_mends_what_a_crash_left(
    archive: BucketArchive, shelf: Shelf, writes: int, done: bool
) -> None:
    shelf.breaks, shelf.breaks_done = writes, done
    with pytest.raises(Broken):
        archive.put(final("a"))
    shelf.breaks = None

    archive.put(final("a"))

    assert archive.get("a") == final("a")
    assert listings(archive) == [["a"]] * 4
    assert counted(archive) == 1
    before = dict(shelf.values)
    archive.put(final("a"))
    assert shelf.values == before


def test_no_crash_leaves_an_entry_without_its_record(archive: BucketArchive, shelf: Shelf) -> None:
    shelf.breaks = 0
    with pytest.raises(Broken):
        archive.put(final("a"))

    assert shelf.values == {}


def test_the_first_record_is_mended_not_the_later_one(
    archive: BucketArchive, shelf: Shelf
) -> None:
    shelf.breaks = 1
    with pytest.raises(Broken):
        archive.put(final("a"))
    shelf.breaks = None

    archive.put(final("a", state=State.FAILED, owner="another", created=9.0))

    assert listings(archive) == [["a"]] * 4
    assert len(shelf.under("index/")) == 2


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("writes", range(3))
def test_a_deletion_that_broke_off_is_ended_by_the_next(
    archive: BucketArchive, shelf: Shelf, writes: int, done: bool
) -> None:
    archive.put(final("a"))
    shelf.breaks, shelf.breaks_done = writes, done
    with pytest.raises(Broken):
        archive.delete("a")
    shelf.breaks = None

    archive.delete("a")
    archive.put(final("a"))

    assert archive.get("a") is None
    assert shelf.under("index/") == []
    assert counted(archive) == 1


def test_a_listing_passes_by_what_a_deletion_left_and_removes_it(
    archive: BucketArchive, shelf: Shelf
) -> None:
    for n in range(6):
        archive.put(final(f"r{n}", created=float(n)))
    shelf.breaks = 2  # the marks of the deletion are made, the entries stay
    with pytest.raises(Broken):
        archive.delete("r5")
    shelf.breaks = None
    entries = len(shelf.under("index/t/succeeded/all/"))

    assert [record.id for record in archive.list(task="t", limit=2)] == ["r4", "r3"]
    assert entries == 6
    assert len(shelf.under("index/t/succeeded/all/")) == 5


def test_a_record_that_comes_while_it_is_deleted_is_gone(shelf: Shelf) -> None:
    class Late(Shelf):
        """A put by somebody else comes between the look of a deletion and its mark."""

        def get(self, key: str) -> bytes | None:
            found = super().get(key)
            if found is None and not self.values:
                BucketArchive(self).put(final("a"))
            return found

    late = Late()
    archive = BucketArchive(late)
    archive.delete("a")

    assert archive.get("a") is None
    assert late.under("index/") == []


@pytest.mark.parametrize("writes", range(3))
def test_a_purge_that_broke_off_is_ended_by_the_next(
    archive: BucketArchive, shelf: Shelf, writes: int
) -> None:
    for n in range(4):
        archive.put(final(f"r{n}", created=float(n)))
    shelf.breaks = writes
    with pytest.raises(Broken):
        archive.purge(task="t", before=3.0)
    shelf.breaks = None

    archive.purge(task="t", before=3.0)

    assert len(shelf.under("index/")) == 2
    assert shelf.under("records/") == ["records/r3"]
    assert listings(archive) == [["r3"]] * 4


def test_a_purge_takes_more_than_a_page(archive: BucketArchive, shelf: Shelf) -> None:
    for n in range(1005):
        archive.put(final(f"r{n}", created=float(n)))

    assert archive.purge(task="t", before=1004.0) == 1004
    assert listings(archive) == [["r1004"]] * 4


def test_marks_of_deletions_are_purged_in_their_turn(
    archive: BucketArchive, shelf: Shelf, clock: HandClock
) -> None:
    archive.put(final("a"))
    archive.delete("a")
    archive.delete("never-there")
    clock.now += 10
    archive.delete("young")
    archive.purge(task="t", before=clock.now)

    assert [key for key in shelf.values if not key.startswith("totals/")] == [
        "deleted/" + shelf.under("deleted/")[0].removeprefix("deleted/"),
        "records/young",
    ]


def test_keeping_is_four_writes_and_getting_one_read(archive: BucketArchive, shelf: Shelf) -> None:
    archive.put(final("a"))
    assert shelf.asked == {"add": 1, "put": WRITES - 1}

    archive.get("a")
    assert shelf.asked["get"] == 1


def test_a_listing_opens_only_what_it_returns(archive: BucketArchive, shelf: Shelf) -> None:
    for n in range(200):
        state = State.FAILED if n == 3 else State.SUCCEEDED
        archive.put(final(f"r{n}", created=float(n), state=state, owner=f"o{n % 2}"))
    shelf.asked.clear()

    assert [record.id for record in archive.list(task="t", states=[State.FAILED])] == ["r3"]
    assert shelf.asked == {"list": 1, "get": 1}
    assert len(archive.list(task="t", owner="o1", limit=5)) == 5
    assert shelf.asked == {"list": 1 + len(FINAL_STATES), "get": 6}
    assert archive.list(task="t", states=[State.QUEUED]) == []
    assert shelf.asked["list"] == 1 + len(FINAL_STATES)


def test_counting_opens_no_record_and_lists_no_more_than_it_counts(
    archive: BucketArchive, shelf: Shelf
) -> None:
    for n in range(1010):
        archive.put(final(f"r{n}", created=float(n)))
    shelf.asked.clear()

    assert archive.count(task="t", most=2000) == {State.SUCCEEDED: 1010}
    assert archive.count(task="t", since=1000.0, most=2000) == {State.SUCCEEDED: 10}
    assert shelf.asked == {"list": 2 * len(FINAL_STATES) + 1}


def test_owners_do_not_stand_in_keys(archive: BucketArchive, shelf: Shelf) -> None:
    archive.put(final("a", owner="ann@example.com/../é"))

    assert [record.id for record in archive.list(task="t", owner="ann@example.com/../é")] == ["a"]
    assert "ann" not in "".join(shelf.values)
