"""A bucket's archive against a plain one, whatever is kept in them and however it is listed."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.framework.archives import Position
from tasks.framework.archives.bucket import BucketArchive
from tasks.framework.archives.bucket_keys import inverted_moment, place
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.records import Final
from tasks.framework.states import FINAL_STATES
from tests.tasks.framework.shelf import Shelf

TEXTS = st.text(st.characters(exclude_categories=()), max_size=12)
IDS = st.text("ab.+@-_Z0", min_size=1, max_size=4)
MOMENTS = st.one_of(
    st.sampled_from([0.0, 1.0, 1.0000000000000002, 1.7e9]),
    st.floats(allow_nan=False, allow_infinity=False),
)
CREATIONS = MOMENTS.filter(lambda moment: abs(moment) < 1e15)
OWNERS = st.one_of(st.none(), st.sampled_from(["", "o", "é/..", "o/all"]), TEXTS)
STATES = st.sampled_from(sorted(FINAL_STATES))

RECORDS = st.builds(
    Final,
    id=st.one_of(IDS, TEXTS),
    task=st.sampled_from(["t", "t/é", ".."]),
    state=STATES,
    owner=OWNERS,
    slot=st.none(),
    created=CREATIONS,
    ended=st.just(1.0),
    digest=st.just("d"),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), RECORDS),
        st.tuples(st.just("delete"), IDS),
        st.tuples(st.just("purge"), CREATIONS),
    ),
    max_size=25,
)


@settings(max_examples=80, deadline=None)
@given(
    steps=STEPS,
    owner=OWNERS,
    states=st.lists(STATES, max_size=3),
    page=st.integers(1, 4),
)
def test_pages_are_those_of_a_plain_archive(
    steps: list[tuple[str, Any]], owner: str | None, states: list[Any], page: int
) -> None:
    plain, archive = MemoryArchive(), BucketArchive(Shelf())
    purged: set[str] = set()
    for what, given_ in steps:
        if what == "put" and given_.id in purged:
            continue  # which is promised not to happen
        before = set(plain_ids(plain))
        carry_out(plain, what, given_)
        carry_out(archive, what, given_)
        if what == "purge":
            purged |= before - set(plain_ids(plain))
    for chosen in ({}, {"owner": owner}, {"states": states}, {"owner": owner, "states": states}):
        for task in ("t", "t/é", ".."):
            assert pages(archive, page, task=task, **chosen) == plain.list(
                task=task, limit=1000, **chosen
            )


def carry_out(archive: MemoryArchive | BucketArchive, what: str, given_: Any) -> None:
    if what == "put":
        archive.put(given_)
    elif what == "delete":
        archive.delete(given_)
    else:
        archive.purge(task="t", before=given_)


def plain_ids(plain: MemoryArchive) -> list[str]:
    return [record.id for record in plain.list(task="t", limit=1000)]


def pages(archive: BucketArchive, page: int, **chosen: Any) -> list[Final]:
    found: list[Final] = []
    while some := archive.list(after=found[-1].position if found else None, limit=page, **chosen):
        found += some
    return found


@example((-0.0, "b"), (0.0, "a"))
@given(one=st.tuples(MOMENTS, TEXTS), other=st.tuples(MOMENTS, TEXTS))
def test_places_sort_as_positions_the_newest_first(one: Position, other: Position) -> None:
    assert (f"{place(one)}z" < f"{place(other)}z") == (one > other)
    assert (inverted_moment(one[0]) < inverted_moment(other[0])) == (one[0] > other[0])
