"""FunctionCalls through Modal's own client and Modal's own container code."""

from __future__ import annotations

from pathlib import Path

import modal
import pytest
from grpclib import Status

from tests.local_modal import LocalModal
from tests.local_modal_tests.orders import at_work, function, spawn

pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_a_result_is_there_for_all_who_know_the_call(local: LocalModal) -> None:
    call = spawn(n=1)
    assert call.get(timeout=30)["order"] == {"n": 1}
    again = modal.FunctionCall.from_id(call.object_id)
    assert again.get(timeout=0)["order"] == {"n": 1}


def test_an_error_of_the_function_is_raised_at_the_caller(local: LocalModal) -> None:
    with pytest.raises(ValueError, match="boom"):
        spawn(error="boom").get(timeout=30)


def test_a_pending_call_times_out_and_a_cancelled_one_fails(local: LocalModal) -> None:
    call = spawn(sleep=60)
    with pytest.raises(TimeoutError):
        call.get(timeout=0)
    task = at_work(local, call)
    call.cancel()
    with pytest.raises(modal.exception.RemoteError):
        call.get(timeout=20)
    local.wait(lambda: "interrupted by InputCancellation" in task.log())
    assert spawn(n=2).get(timeout=30)["order"] == {"n": 2}
    assert not task.exited


def test_a_call_cancelled_in_the_queue_never_starts(local: LocalModal) -> None:
    at_work_on = [spawn(sleep=60), spawn(sleep=60)]
    for each in at_work_on:
        at_work(local, each)
    queued = spawn(queued=True)
    queued.cancel()
    with pytest.raises(modal.exception.RemoteError):
        queued.get(timeout=5)
    for each in at_work_on:
        each.cancel()
    assert "queued" not in local.logs("Runner")


def test_cancelling_may_take_the_container_along(local: LocalModal) -> None:
    call = spawn(sleep=60)
    task = at_work(local, call)
    call.cancel(terminate_containers=True)
    with pytest.raises(modal.exception.RemoteError):
        call.get(timeout=20)
    local.wait(lambda: task.exited)
    assert "closed" not in task.log()


def test_results_expire(local: LocalModal) -> None:
    call = spawn(n=3)
    call.get(timeout=30)
    local.expire(call.object_id)
    with pytest.raises(modal.exception.OutputExpiredError):
        call.get(timeout=0)


def test_a_call_that_never_was_is_not_found(local: LocalModal) -> None:
    with pytest.raises(modal.exception.NotFoundError):
        modal.FunctionCall.from_id("fc-nope").get(timeout=0)


def test_failures_are_tried_again_as_declared(local: LocalModal, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    assert function("attempt").spawn(str(notes), 3).get(timeout=30) == "done"
    assert notes.read_text() == "xxx"


def test_a_function_that_takes_too_long_is_killed_and_tried_again(
    local: LocalModal, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    with pytest.raises(modal.exception.FunctionTimeoutError):
        function("attempt").spawn(str(notes), 1, 60.0).get(timeout=60)
    assert notes.read_text() == "xxx"


def test_spawning_is_refused_when_too_much_is_pending(local: LocalModal) -> None:
    local.pending_input_limit = 0
    try:
        with pytest.raises(modal.exception.ResourceExhaustedError):
            spawn()
    finally:
        local.pending_input_limit = None


@pytest.mark.parametrize(("dedupe", "times"), [(True, 1), (False, 2)])
def test_a_spawn_whose_answer_is_lost_is_one_call_or_in_the_worst_case_two(
    local: LocalModal, dedupe: bool, times: int
) -> None:
    local.dedupe_retries = dedupe
    before = len(local.calls())
    local.fault("FunctionMap", when="after")
    try:
        spawn(n=4).get(timeout=30)
    finally:
        local.dedupe_retries = True
    assert len(local.calls()) - before == times


def test_a_fault_may_be_of_any_kind_and_for_some_only(local: LocalModal) -> None:
    local.fault("FunctionMap", match=lambda request, task: task != "")
    spawn(n=5).get(timeout=30)
    local.fault("FunctionMap", status=Status.PERMISSION_DENIED)
    with pytest.raises(modal.exception.PermissionDeniedError):
        spawn(n=6)


def test_a_cron_fires_when_told_even_twice_at_once(local: LocalModal) -> None:
    assert local.fire_schedule("tick").result.exception == ""
    assert len(local.fire_together("tick", 2)) == 2
    assert local.logs("tick").splitlines().count("tick") == 3
