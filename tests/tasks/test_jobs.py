"""Jobs as their owners see them, over runs that are made to end in every way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from comfy_runner.errors import NodeFailed
from comfy_runner.media import Media
from comfy_runner.work import Work
from settings import Settings
from tasks import jobs
from tasks.framework import State
from tasks.framework.execute import error_record
from tasks.framework.records import Claim, Ending
from tasks.jobs import InvalidCursor, JobError, JobLimitReached, JobNotFound, Status
from tests.tasks.framework.rig import Rig, no_wait

GRAPH = {"1": {"class_type": "X", "inputs": {}}}
OUTPUT = {
    "node_id": "1",
    "kind": "image",
    "filename": "a.png",
    "key": "outputs/j/1/0000-a.png",
    "size_bytes": 7,
    "content_type": "image/png",
    "text": None,
    "width": 16,
    "height": 16,
    "duration_seconds": None,
    "frames": 1,
    "temporary": False,
    "sha256": None,
}


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


def submit(user_id: str | None = "u", **settings: int) -> str:
    job = jobs.submit(GRAPH, user_id=user_id, settings=Settings().replace(**settings))
    return job.job_id


def start(rig: Rig, job_id: str, **meta: object) -> Claim:
    claimed = rig.protocol.claim(job_id, worker="w", wait=no_wait)
    assert claimed is not None
    run = replace(claimed.run, meta=meta, logs=["[20:01:02] started"])
    rig.protocol.beat(job_id, run)
    return replace(claimed, run=run)


def end(rig: Rig, claimed: Claim, state: State, **values: object) -> jobs.Job:
    ending = replace(Ending.of(state, claimed.run), **values)  # type: ignore[arg-type]
    rig.protocol.end(claimed.job.id, ending)
    return jobs.get(claimed.job.id)


def test_a_new_job_is_queued_and_knows_its_owner(rig: Rig) -> None:
    job = jobs.get(submit())

    assert (job.status, job.progress, job.user_id) == (Status.QUEUED, 0, "u")
    assert (job.started_at, job.completed_at, job.error) == (None, None, None)
    assert job.created_at.timestamp() == rig.clock.now
    assert rig.backend.pools == ["comfy"]


def test_a_running_job_shows_where_it_is(rig: Rig) -> None:
    start(rig, job_id := submit(), progress=40, current_node="3", current_step=2, total_steps=5)

    job = jobs.get(job_id)
    assert (job.status, job.progress) == (Status.RUNNING, 40)
    assert (job.current_node, job.current_step, job.total_steps) == ("3", 2, 5)
    assert job.logs == ("[20:01:02] started",)


def test_only_a_completed_job_is_at_a_hundred_per_cent(rig: Rig) -> None:
    claimed = start(rig, job_id := submit(), progress=100)
    assert jobs.get(job_id).progress == 99

    job = end(rig, claimed, State.SUCCEEDED, result={"outputs": [OUTPUT]})

    assert (job.status, job.progress) == (Status.COMPLETED, 100)
    assert [output.to_json() for output in job.outputs] == [OUTPUT]
    assert job.completed_at is not None


def test_outputs_grow_while_the_job_runs(rig: Rig) -> None:
    start(rig, job_id := submit(), outputs=[OUTPUT])

    assert [output.filename for output in jobs.get(job_id).outputs] == ["a.png"]


@pytest.mark.parametrize("state", [State.FAILED, State.REVOKED])
def test_what_was_stored_before_a_bad_end_stays_an_output(rig: Rig, state: State) -> None:
    error = error_record(NodeFailed("no"))
    job = end(rig, start(rig, submit(), outputs=[OUTPUT]), state, error=error)

    assert [output.filename for output in job.outputs] == ["a.png"]


def test_a_cancelled_job_says_so_where_others_tell_their_error(rig: Rig) -> None:
    jobs.cancel(job_id := submit())

    assert jobs.get(job_id).error == JobError("cancelled", "the job was cancelled on request")


def test_a_worker_gets_the_graph_the_media_and_what_else_was_asked(rig: Rig) -> None:
    media = (Media("in.png", key="media/abc"), Media("far.png", url="https://example.com/far.png"))
    job = jobs.submit(GRAPH, user_id="u", settings=Settings(), media=media, temp_outputs=True)

    claimed = rig.protocol.claim(job.job_id, worker="w", wait=no_wait)
    assert claimed is not None
    assert Work.from_json(claimed.job.args[0]) == Work(GRAPH, media, temp_outputs=True)


def test_a_failed_job_names_code_message_and_node(rig: Rig) -> None:
    graph = {"3": {"class_type": "KSampler", "_meta": {"title": "Draft"}}}
    error = error_record(NodeFailed("ValueError: no", node_id="3").at(graph))
    job = end(rig, start(rig, submit(), progress=100), State.FAILED, error=error)

    assert (job.status, job.progress) == (Status.FAILED, 99)
    assert job.error == JobError("node_failed", "ValueError: no", "3", "KSampler", "Draft")


def test_a_fault_of_ours_does_not_show_its_inside(rig: Rig) -> None:
    error = error_record(OSError("/secret/path"))
    job = end(rig, start(rig, submit()), State.FAILED, error=error)

    assert job.error is not None
    assert job.error.code == "internal_error"
    assert "secret" not in job.error.message


@pytest.mark.parametrize(
    ("error_type", "code"), [("RunTimeout", "timeout"), ("WorkerLost", "worker_lost")]
)
def test_what_the_framework_ends_has_a_code_of_its_own(
    rig: Rig, error_type: str, code: str
) -> None:
    error = {"type": error_type, "message": "why"}
    job = end(rig, start(rig, submit()), State.FAILED, error=error)

    assert job.error == JobError(code, "why")


def test_a_job_that_waits_too_long_fails_as_expired(rig: Rig) -> None:
    job_id = submit(queued_timeout_seconds=10)
    rig.let_time_pass(rounds=1)

    job = jobs.get(job_id)
    assert job.status is Status.FAILED
    assert job.error is not None
    assert job.error.code == "expired"


def test_a_job_is_cancelled_at_once_while_it_waits_and_may_be_again(rig: Rig) -> None:
    job_id = submit()

    assert jobs.cancel(job_id).status is Status.CANCELLED
    assert jobs.cancel(job_id).status is Status.CANCELLED


def test_a_finished_job_stays_as_it_is_when_it_is_cancelled(rig: Rig) -> None:
    claimed = start(rig, job_id := submit())
    end(rig, claimed, State.SUCCEEDED, result={"outputs": []})

    assert jobs.cancel(job_id).status is Status.COMPLETED


def test_an_unknown_id_and_another_tasks_run_are_no_jobs(rig: Rig) -> None:
    from tasks.maintenance import tick  # noqa: PLC0415 - only here

    for unknown in ("nobody", "", "a:b", tick.delay().id):
        with pytest.raises(JobNotFound):
            jobs.get(unknown)
        with pytest.raises(JobNotFound):
            jobs.cancel(unknown)


def test_a_user_at_the_limit_is_refused_and_others_are_not(rig: Rig) -> None:
    for _ in range(2):
        submit(max_active_jobs_per_user=2)
    with pytest.raises(JobLimitReached) as caught:
        submit(max_active_jobs_per_user=2)
    assert caught.value.limit == 2

    submit("another", max_active_jobs_per_user=2)
    submit(None, max_active_jobs_per_user=2)


def test_jobs_are_listed_by_status_and_user_in_pages(rig: Rig) -> None:
    ids = []
    for n in range(5):
        rig.clock.now += 1
        ids.append(submit("u" if n else "v"))
    jobs.cancel(ids[2])
    start(rig, ids[3])

    def listed(**wanted: object) -> list[str]:
        return [job.job_id for job in jobs.list_jobs(**wanted).jobs]  # type: ignore[arg-type]

    assert listed() == ids[::-1]
    assert listed(user_id="v") == ids[:1]
    assert listed(statuses=[Status.RUNNING]) == [ids[3]]
    assert listed(statuses=[Status.QUEUED, Status.CANCELLED]) == [ids[4], *ids[2::-1]]

    first = jobs.list_jobs(limit=3)
    assert [job.job_id for job in first.jobs] == ids[:1:-1]
    assert first.next is not None
    assert jobs.list_jobs(limit=3, after=first.next).next is None
    assert listed(after=first.next) == ids[1::-1]


@pytest.mark.parametrize("cursor", ["x", "!!", "W10", "WzEsMl0", "bnVsbA", "WzEsICJcdWQ4MDAiXQ"])
def test_a_made_up_cursor_is_refused(rig: Rig, cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        jobs.list_jobs(after=cursor)


@pytest.mark.parametrize(("asked", "held_to"), [(None, 600), (5, 5), (601, 600)])
def test_a_job_runs_no_longer_than_it_may(rig: Rig, asked: int | None, held_to: int) -> None:
    job = jobs.submit(GRAPH, user_id=None, settings=Settings(), timeout_seconds=asked)
    record = rig.protocol.job(job.job_id)
    assert record
    assert record.timeout == held_to
