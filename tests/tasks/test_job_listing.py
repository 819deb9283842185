"""Pages of jobs: cursors that no other text is, and bounds of time."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings import Settings
from tasks import jobs
from tasks.framework.message import RUN_ID
from tasks.jobs import InvalidCursor
from tasks.jobs.reading import _position, cursor_of
from tests.tasks.framework.rig import Rig

GRAPH = {"1": {"class_type": "X", "inputs": {}}}

MOMENTS = st.floats(min_value=-1e12, max_value=1e12)
IDS = st.from_regex(RUN_ID, fullmatch=True)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(MOMENTS, IDS)
def test_a_cursor_is_read_as_it_was_written(created: float, run_id: str) -> None:
    assert _position(cursor_of((created, run_id))) == (created, run_id)


@given(
    st.text()
    | st.text("abcdefghWzAxLF0-_=")
    | st.binary().map(lambda each: each.decode("latin-1"))
)
def test_any_other_text_is_refused(text: str) -> None:
    try:
        position = _position(text)
    except InvalidCursor:
        return
    assert cursor_of(position) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    )
)
def test_any_other_json_is_refused(value: object) -> None:
    try:
        created, run_id = _position(encoded(value))
    except InvalidCursor:
        return
    assert [created, run_id] == value
    assert math.isfinite(created)


@pytest.mark.parametrize(
    "value", [[True, "a"], ["1.0", "a"], [1, "a"], [math.nan, "a"], [math.inf, "a"], [1.0, "a", 1]]
)
def test_what_only_reads_like_a_position_is_refused(value: object) -> None:
    with pytest.raises(InvalidCursor):
        _position(encoded(value))


def test_jobs_are_listed_between_two_moments_in_pages(rig: Rig) -> None:
    ids = []
    for _ in range(6):
        rig.clock.now += 10
        job = jobs.submit(GRAPH, user_id=None, settings=Settings())
        ids.append(job.job_id)
    for job_id in ids[:3]:  # listed from the archive, the others are alive
        jobs.cancel(job_id)
    moments = [datetime.fromtimestamp(rig.clock.now - 50 + 10 * n, UTC) for n in range(6)]
    bounds = {"created_after": moments[1], "created_before": moments[5]}

    found: list[str] = []
    after = None
    for _ in range(2):
        page = jobs.list_jobs(**bounds, limit=2, after=after)  # type: ignore[arg-type]
        found += [job.job_id for job in page.jobs]
        after = page.next
    assert found == ids[4:0:-1]
    assert after is None
    (first,) = jobs.list_jobs(created_before=moments[4], limit=1).jobs
    assert first.job_id == ids[3]
    assert jobs.list_jobs(created_after=moments[5], created_before=moments[5]).jobs == ()
