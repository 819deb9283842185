"""Where a job's time went and what it cost: noted by the attempt, read out of its record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from comfy_runner.awakening import BOOT, WAKE, Awakening
from comfy_runner.billing import Billing
from comfy_runner.stopwatch import INPUTS, MODEL_LOAD, UPLOAD
from settings import Settings
from tasks import jobs
from tasks.framework import State
from tasks.framework.context import RunContext, running
from tasks.framework.execute import execute
from tasks.framework.records import Claim, Ending
from tasks.metering import Timings, Use, metered
from tasks.workflow import run_workflow
from tests.tasks.framework.rig import Rig, no_wait
from tests.tasks.webhook_rig import GRAPH, FakeComfy, WebhookRig

L40S = Billing("L40S", 0.0005)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


@pytest.fixture
def comfy(rig: Rig) -> FakeComfy:
    made = FakeComfy()
    made.awakening = Awakening(rig.clock)
    made.billing = L40S
    return made


def submitted() -> str:
    return jobs.submit(GRAPH, user_id="u", settings=Settings()).job_id


@contextmanager
def attempt(rig: Rig, job_id: str, comfy: FakeComfy) -> Iterator[RunContext]:
    """Be an attempt of the job during the block; its record is not written."""
    claimed = rig.protocol.claim(job_id, worker="w", wait=no_wait)
    assert claimed is not None
    context = RunContext(claimed, lambda: None)
    token = running.set(context)
    try:
        with metered(comfy, rig.clock):
            yield context
    finally:
        running.reset(token)


def end(rig: Rig, context: RunContext, state: State = State.SUCCEEDED) -> jobs.Job:
    rig.protocol.end(context.job.id, Ending.of(state, context.peek(), result={"outputs": []}))
    return jobs.get(context.job.id)


def spend(rig: Rig, comfy: FakeComfy, name: str, seconds: float) -> None:
    rig.clock.now += seconds
    comfy.timed.add(name, seconds)


def test_the_parts_of_a_job_add_up_to_all_of_its_time(rig: Rig, comfy: FakeComfy) -> None:
    job_id, began = submitted(), rig.clock.now
    rig.clock.now += 20.0  # no container is free
    with comfy.awakening.measure(WAKE):
        rig.clock.now += 4.0
    rig.clock.now += 1.0
    with attempt(rig, job_id, comfy) as context:
        spend(rig, comfy, INPUTS, 2.0)
        spend(rig, comfy, MODEL_LOAD, 8.0)
        rig.clock.now += 16.0
        spend(rig, comfy, UPLOAD, 0.5)
    job = end(rig, context)
    assert job.timings == Timings(
        waiting=21.0,
        restore=None,
        wake=4.0,
        warm_up=0.0,
        inputs=2.0,
        model_load=8.0,
        run=16.0,
        upload=0.5,
    )
    assert sum(value or 0.0 for value in job.timings.to_json().values()) == rig.clock.now - began
    assert job.cost == Use("L40S", 30.5, 30.5 * 0.0005)


def test_the_second_job_after_a_start_pays_for_itself_alone(rig: Rig, comfy: FakeComfy) -> None:
    first, second = submitted(), submitted()
    with comfy.awakening.measure(BOOT):
        rig.clock.now += 10.0
    with attempt(rig, first, comfy) as context:
        spend(rig, comfy, MODEL_LOAD, 5.0)
    end(rig, context)
    with attempt(rig, second, comfy) as context:
        rig.clock.now += 1.0
    job = end(rig, context)
    assert (job.timings.waiting, job.timings.wake, job.timings.model_load) == (15.0, 0.0, None)
    assert job.cost == Use("L40S", 1.0, 0.0005)


def test_a_job_that_goes_on_in_a_second_attempt_has_the_times_of_both(
    rig: Rig, comfy: FakeComfy
) -> None:
    job_id = submitted()
    with attempt(rig, job_id, comfy) as context:
        spend(rig, comfy, MODEL_LOAD, 5.0)
    rig.protocol.hand_back(Claim(context.job, context.peek()))
    rig.clock.now += 60.0
    with attempt(rig, job_id, comfy) as context:
        spend(rig, comfy, MODEL_LOAD, 3.0)
    job = end(rig, context)
    assert job.timings.model_load == 8.0
    assert job.timings.run == 60.0
    assert job.cost is not None
    assert job.cost.seconds == 8.0


def test_a_job_whose_end_was_written_while_it_worked_costs_what_it_took_until_then(
    rig: Rig, comfy: FakeComfy
) -> None:
    with attempt(rig, submitted(), comfy) as context:
        spend(rig, comfy, MODEL_LOAD, 5.0)
        job = end(rig, context, State.REVOKED)
        rig.clock.now += 2.0
    assert job.timings.waiting == 0.0
    assert (job.timings.run, job.timings.model_load) == (5.0, None)
    assert job.cost is not None
    assert job.cost.seconds == 5.0


def test_a_job_that_never_started_has_waited_and_costs_nothing(rig: Rig) -> None:
    job_id = submitted()
    rig.clock.now += 3.0
    assert jobs.get(job_id).timings == Timings()
    jobs.cancel(job_id)
    job = jobs.get(job_id)
    assert (job.timings, job.cost) == (Timings(waiting=3.0), None)


def test_without_a_price_there_is_no_sum_and_without_a_name_no_cost(
    rig: Rig, comfy: FakeComfy
) -> None:
    for billing, told in ((Billing("A100"), Use("A100", 0.0, None)), (None, None)):
        comfy.billing = billing
        with attempt(rig, submitted(), comfy) as context:
            pass
        assert end(rig, context).cost == told


def test_what_was_timed_of_another_job_is_not_told_of_this_one(rig: Rig, comfy: FakeComfy) -> None:
    comfy.timed.add(UPLOAD, 99.0)
    with attempt(rig, submitted(), comfy) as context:
        pass
    assert end(rig, context).timings.upload is None


def test_the_task_itself_is_metered_and_counted_in_the_totals() -> None:
    with WebhookRig().configured() as rig:
        job_id = submitted()
        execute({"id": job_id})
        assert jobs.get(job_id).timings.wake == 0.0
        totals = rig.protocol.archive.totals(run_workflow.name)
        assert sum(totals.parts[WAKE][State.SUCCEEDED].counts) == 1
