"""What jobs have used of workers, added up over as many calls as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from settings import Settings
from tasks import jobs
from tasks.framework import State
from tasks.framework.records import Final
from tasks.jobs import By, InvalidCursor, Sum
from tasks.jobs.usage import MOST_JOBS
from tasks.metering import SPELL
from tasks.workflow import run_workflow
from tests.tasks.framework.rig import Rig
from tests.tasks.webhook_rig import GRAPH

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


def ended(
    rig: Rig,
    job_id: str,
    *,
    user: str | None = "u",
    at: datetime = NOON,
    gpu: str | None = None,
    price: float | None = None,
) -> None:
    """Archive a job that ran for ten seconds."""
    began = at.timestamp() + 5.0
    spell = {"gpu": gpu, "usd_per_second": price, "spent": 0.0, "began": began, "until": None}
    rig.protocol.archive.put(
        Final(
            id=job_id,
            task=run_workflow.name,
            state=State.SUCCEEDED,
            owner=user,
            slot=None,
            created=at.timestamp(),
            started=began,
            ended=began + 10.0,
            digest="d",
            kept={SPELL: spell} if gpu else {},
        )
    )


def test_users_are_told_apart_and_only_known_prices_are_added(rig: Rig) -> None:
    ended(rig, "a", user="ann", gpu="L40S", price=0.5)
    ended(rig, "b", user="ann", gpu="L40S", price=None)
    ended(rig, "c", user=None, gpu="L40S", price=0.25)
    ended(rig, "d", user="bob")
    found = jobs.usage(By.USER)
    assert found.sums == (Sum("ann", 2, 20.0, 5.0), Sum("bob", 1, 10.0), Sum(None, 1, 10.0, 2.5))
    assert found.next is None
    assert jobs.usage(By.USER, user_id="ann").sums == (Sum("ann", 2, 20.0, 5.0),)


def test_days_are_those_of_the_submission_in_utc(rig: Rig) -> None:
    ended(rig, "a", at=datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC))
    ended(rig, "b", at=datetime(2026, 3, 2, tzinfo=UTC))
    names = [each.name for each in jobs.usage(By.DAY).sums]
    assert names == ["2026-03-01", "2026-03-02"]


def test_gpus_are_told_apart(rig: Rig) -> None:
    ended(rig, "a", gpu="L40S", price=1.0)
    ended(rig, "b", gpu="CPU", price=0.0)
    ended(rig, "c")
    sums = jobs.usage(By.GPU).sums
    assert sums == (Sum("CPU", 1, 10.0, 0.0), Sum("L40S", 1, 10.0, 10.0), Sum(None, 1, 10.0))


def test_the_first_moment_counts_and_the_last_does_not(rig: Rig) -> None:
    for hours in range(4):
        ended(rig, str(hours), at=NOON + timedelta(hours=hours))
    since, until = NOON + timedelta(hours=1), NOON + timedelta(hours=3)
    assert jobs.usage(By.USER, since=since, until=until).sums == (Sum("u", 2, 20.0),)


def test_more_jobs_than_one_call_reads_are_told_by_several_each_once(rig: Rig) -> None:
    for number in range(MOST_JOBS + 7):
        ended(rig, f"j{number:04}", at=NOON + timedelta(seconds=number // 3))
    first = jobs.usage(By.USER, since=NOON)
    assert (first.sums[0].jobs, first.next is None) == (MOST_JOBS, False)
    rest = jobs.usage(By.USER, since=NOON, after=first.next)
    assert (rest.sums[0].jobs, rest.next) == (7, None)


def test_as_many_as_one_call_reads_are_told_at_once(rig: Rig) -> None:
    for number in range(MOST_JOBS):
        ended(rig, f"j{number:04}")
    assert jobs.usage(By.USER).next is None


def test_a_job_that_has_not_ended_is_not_told(rig: Rig) -> None:
    jobs.submit(GRAPH, user_id="u", settings=Settings())
    assert jobs.usage(By.USER).sums == ()


def test_a_cursor_of_nobody_is_refused(rig: Rig) -> None:
    with pytest.raises(InvalidCursor):
        jobs.usage(By.USER, after="nonsense")
