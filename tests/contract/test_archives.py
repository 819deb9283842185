"""What every archive promises."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tasks.framework.archives import Archive
from tasks.framework.records import Final
from tasks.framework.states import State
from tasks.framework.totals import BOUNDS, Times, Totals, bound


def final(run_id: str, **changes: Any) -> Final:
    values: dict[str, Any] = {
        "task": "t",
        "state": State.SUCCEEDED,
        "owner": "o",
        "slot": None,
        "created": 1.0,
        "ended": 2.0,
        "digest": "d",
    }
    return Final(id=run_id, **{**values, **changes})


def ids(records: list[Final]) -> list[str]:
    return [record.id for record in records]


def test_what_was_put_is_got_whole(archive: Archive) -> None:
    record = final("a", result={"x": [1, "ü"]}, meta={"p": 1}, logs=["l"], args=[1], link={"t": 1})
    archive.put(record)

    assert archive.get("a") == record


def test_an_unknown_id_is_none(archive: Archive) -> None:
    assert archive.get("a") is None


def test_the_first_record_of_an_id_stays(archive: Archive) -> None:
    archive.put(final("a", result=1))
    archive.put(final("a", result=2))

    kept = archive.get("a")
    assert kept is not None
    assert kept.result == 1


def test_a_deleted_record_does_not_come_back(archive: Archive) -> None:
    archive.put(final("a"))
    archive.delete("a")
    archive.put(final("a"))

    assert archive.get("a") is None
    assert archive.list(task="t") == []


def test_an_id_can_be_deleted_before_it_was_ever_put(archive: Archive) -> None:
    archive.delete("a")
    archive.put(final("a"))

    assert archive.get("a") is None


def test_a_listing_is_newest_first_and_ties_go_by_id(archive: Archive) -> None:
    for run_id, created in (("a", 1.0), ("d", 2.0), ("c", 2.0), ("b", 3.0)):
        archive.put(final(run_id, created=created))

    assert ids(archive.list(task="t")) == ["b", "d", "c", "a"]


def test_pages_neither_overlap_nor_leave_gaps(archive: Archive) -> None:
    for n in range(10):
        archive.put(final(f"r{n}", created=float(n // 3)))
    whole = archive.list(task="t", limit=100)

    seen: list[Final] = []
    while page := archive.list(task="t", after=seen[-1].position if seen else None, limit=3):
        seen += page

    assert seen == whole
    assert len(seen) == 10


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"owner": "o1"}, ["c", "a"]),
        ({"states": [State.FAILED]}, ["d", "c"]),
        ({"states": [State.FAILED, State.REVOKED]}, ["d", "c", "b"]),
        ({"owner": "o1", "states": [State.FAILED]}, ["c"]),
        ({"owner": "nobody"}, []),
        ({"limit": 2}, ["d", "c"]),
    ],
)
def test_a_listing_can_be_narrowed(
    archive: Archive, wanted: dict[str, Any], expected: list[str]
) -> None:
    archive.put(final("a", owner="o1", created=1))
    archive.put(final("b", owner="o2", created=2, state=State.REVOKED))
    archive.put(final("c", owner="o1", created=3, state=State.FAILED))
    archive.put(final("d", owner="o2", created=4, state=State.FAILED))
    archive.put(final("e", owner="o1", created=5, task="another"))

    assert ids(archive.list(task="t", **wanted)) == expected


COUNTS: list[tuple[dict[str, Any], dict[State, int]]] = [
    ({}, {State.SUCCEEDED: 2, State.FAILED: 2, State.REVOKED: 1}),
    ({"since": 2.0}, {State.SUCCEEDED: 1, State.FAILED: 2, State.REVOKED: 1}),
    ({"before": 4.0}, {State.SUCCEEDED: 2, State.FAILED: 1}),
    ({"since": 2.0, "before": 4.0}, {State.SUCCEEDED: 1, State.FAILED: 1}),
    ({"most": 3}, {State.SUCCEEDED: 1, State.FAILED: 1, State.REVOKED: 1}),
    ({"most": 1, "before": 4.0}, {State.SUCCEEDED: 1}),
    ({"since": 6.0}, {}),
]


def test_records_are_counted_by_state_between_two_moments(archive: Archive) -> None:
    archive.put(final("a", created=1.0))
    archive.put(final("b", created=2.0, state=State.FAILED))
    archive.put(final("c", created=3.0))
    archive.put(final("d", created=4.0, state=State.FAILED))
    archive.put(final("e", created=5.0, state=State.REVOKED))
    archive.put(final("f", created=4.0, task="another"))
    archive.put(final("gone", created=4.0))
    archive.delete("gone")

    for wanted, expected in COUNTS:
        assert archive.count(**{"task": "t", "most": 99, **wanted}) == expected, wanted


def test_purge_drops_old_records_of_one_task(archive: Archive) -> None:
    archive.put(final("old", created=1))
    archive.put(final("new", created=9))
    archive.put(final("other", created=1, task="another"))

    assert archive.purge(task="t", before=5) == 1
    assert archive.get("old") is None
    assert archive.get("new") is not None
    assert archive.get("other") is not None


def test_without_records_there_are_no_totals(archive: Archive) -> None:
    assert archive.totals("t") == Totals()


def test_totals_tell_waits_and_runs_by_how_they_ended(archive: Archive) -> None:
    archive.put(final("a", created=10.0, started=14.0, ended=15.0))
    archive.put(final("b", created=10.0, started=10.0, ended=10.5, state=State.FAILED))
    archive.put(final("c", created=10.0, started=15.0, ended=9999.0))
    archive.put(final("d", created=10.0, ended=17.0, state=State.EXPIRED))
    archive.put(final("e", created=10.0, started=11.0, ended=12.0, task="other"))

    found = archive.totals("t")
    assert found.waits == {
        State.SUCCEEDED: Times().plus(5.0, 2, 9.0),
        State.FAILED: Times().plus(0.1, 1, 0.0),
        State.EXPIRED: Times().plus(10.0, 1, 7.0),
    }
    assert found.runs == {
        State.SUCCEEDED: Times().plus(1.0, 1, 1.0).plus(math.inf, 1, 9984.0),
        State.FAILED: Times().plus(0.5, 1, 0.5),
    }


def test_times_that_bodies_have_kept_are_counted_by_their_names(archive: Archive) -> None:
    archive.put(final("a", kept={"times": {"model_load": 3.0, "wake": 0.0}, "other": "x"}))
    archive.put(final("b", kept={"times": {"model_load": 4.5}}))

    assert archive.totals("t").parts == {
        "model_load": {State.SUCCEEDED: Times().plus(5.0, 2, 7.5)},
        "wake": {State.SUCCEEDED: Times().plus(0.1, 1, 0.0)},
    }


@pytest.mark.parametrize("kept", [5, ["wake"], {"wake": "long"}, {"wake": None}])
def test_what_is_kept_as_times_and_is_none_is_not_counted(archive: Archive, kept: Any) -> None:
    archive.put(final("a", kept={"times": kept}))

    found = archive.totals("t")
    assert sum(found.waits[State.SUCCEEDED].counts) == 1
    assert found.parts == {}


def test_each_run_is_counted_once_and_stays_counted(archive: Archive) -> None:
    for _ in range(3):
        archive.put(final("a"))
        archive.put(final("b", created=5.0, started=6.0, ended=7.0))
    archive.delete("a")
    archive.put(final("a"))
    archive.purge(task="t", before=100.0)

    found = archive.totals("t")
    assert sum(found.waits[State.SUCCEEDED].counts) == 2
    assert sum(found.runs[State.SUCCEEDED].counts) == 1


def test_a_run_that_was_deleted_before_it_was_put_is_not_counted(archive: Archive) -> None:
    archive.delete("a")
    archive.put(final("a"))

    assert archive.totals("t") == Totals()


def test_a_clock_that_went_back_counts_as_no_time(archive: Archive) -> None:
    archive.put(final("a", created=10.0, started=9.0, ended=8.0))

    found = archive.totals("t")
    assert found.waits == found.runs == {State.SUCCEEDED: Times().plus(0.1, 1, 0.0)}


def test_runs_that_end_at_the_same_time_are_all_counted(archive: Archive) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: archive.put(final(f"r{n % 40}", created=1.0)), range(80)))

    assert sum(archive.totals("t").waits[State.SUCCEEDED].counts) == 40


def test_a_bound_is_the_longest_time_of_its_class() -> None:
    assert [bound(seconds) for seconds in (0.0, 0.1, 0.11, 3600.0, 3600.1)] == [
        0.1,
        0.1,
        0.5,
        3600.0,
        math.inf,
    ]


def test_what_another_version_counted_goes_into_the_next_class() -> None:
    counts = Times().plus(7.5, 2, 14.0).counts
    assert counts[BOUNDS.index(10.0)] == 2
