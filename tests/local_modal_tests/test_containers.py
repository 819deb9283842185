"""The life of containers: snapshot, preemption, crash, scale-down, and starts that fail."""

from __future__ import annotations

import modal
import pytest

from tests.local_modal import LocalModal
from tests.local_modal_tests.conftest import APPS, SECRETS
from tests.local_modal_tests.orders import at_work, spawn

pytestmark = [pytest.mark.live, pytest.mark.slow]

CHILD = "import time; time.sleep(600)"


def test_a_class_boots_is_snapshot_and_wakes_before_its_first_input(local: LocalModal) -> None:
    result = spawn().get(timeout=30)
    assert (result["steps"], result["extra"]) == (["boot", "wake"], "1")
    task = local.tasks("Runner")[0]
    assert task.checkpoints == 1
    assert task.at_snapshot is not None
    assert task.at_snapshot["forbidden"] == []
    assert str(task.dir / "container.log") in {file for _, file in task.at_snapshot["files"]}


def test_what_is_preempted_runs_again_elsewhere(local: LocalModal) -> None:
    call = spawn(sleep=3)
    task = at_work(local, call)
    local.preempt(task, grace=10)
    assert "interrupted by KeyboardInterrupt\n" in task.log()
    assert "closed" in task.log()
    assert call.get(timeout=60)["order"] == {"sleep": 3}


def test_what_runs_in_a_container_that_crashes_fails(local: LocalModal) -> None:
    call = spawn(sleep=60)
    local.crash(at_work(local, call))
    with pytest.raises(modal.exception.InternalFailure, match="exited with code -9"):
        call.get(timeout=20)


def test_what_runs_on_a_machine_that_is_lost_runs_again_elsewhere(local: LocalModal) -> None:
    call = spawn(sleep=2)
    local.crash(at_work(local, call), redeliver=True)
    assert call.get(timeout=60)["order"] == {"sleep": 2}


def test_commands_that_outlive_their_container_are_named_and_ended(local: LocalModal) -> None:
    call = spawn(child=CHILD, sleep=60)
    task = at_work(local, call)
    local.wait(lambda: any(CHILD in command for _, command in task.family.values()))
    local.crash(task, main_only=True)
    assert any(CHILD in each for each in task.orphans)


def test_scaling_down_runs_the_exit_hooks_and_commits(local: LocalModal) -> None:
    spawn().get(timeout=30)
    task = next(each for each in local.tasks("Runner") if not each.exited)
    local.stop_task(task)
    assert task.log().endswith("closed\n")
    assert local.plane.state.volume_commits


def test_more_containers_start_when_told(local: LocalModal) -> None:
    first, second = local.start_container("Runner", 2)
    local.wait(lambda: first.ready and second.ready)
    assert first.proc is not None
    assert second.proc is not None
    assert first.proc.pid != second.proc.pid


def test_the_least_number_of_containers_starts_with_the_deployment() -> None:
    with LocalModal(secrets=dict(SECRETS), start_min_containers=True) as local:
        local.deploy("sample.py", cwd=APPS)
        (first,) = local.tasks("web")
        local.wait(lambda: first.ready)
        local.crash(first)
        second = local.wait(lambda: local.tasks("web")[1:])
        assert len(second) == 1


def test_starts_that_fail_fail_what_waits_for_them(fresh: LocalModal) -> None:
    fresh.deploy("unlucky.py", cwd=APPS)
    with fresh.as_env_client():
        with pytest.raises(RuntimeError, match="cannot start"):
            modal.Cls.from_name("unlucky", "Failing")().run.remote()
        with pytest.raises(modal.exception.RemoteError, match="startup timed out after 1 s"):
            modal.Cls.from_name("unlucky", "Slow")().run.remote()


def test_a_volume_is_not_mounted_over_files() -> None:
    with LocalModal(occupied=["/root/comfyui/models/checkpoints"]) as local:
        local.deploy("unlucky.py", cwd=APPS)
        with (
            local.as_env_client(),
            pytest.raises(modal.exception.RemoteError, match="non-empty path"),
        ):
            modal.Function.from_name("unlucky", "covering").remote()
        assert 'on non-empty path: "/root/comfyui/models"' in local.logs("covering")


def test_a_connection_open_at_the_snapshot_is_seen(fresh: LocalModal) -> None:
    fresh.deploy("unlucky.py", cwd=APPS)
    with fresh.as_env_client():
        assert modal.Cls.from_name("unlucky", "Connected")().run.remote() == "ran"
    seen = fresh.tasks("Connected")[0].at_snapshot
    assert seen is not None
    assert len(seen["forbidden"]) == 2  # both ends are in the container


def test_a_strict_snapshot_kills_who_has_a_connection_open() -> None:
    with LocalModal(strict_snapshot=True) as local:
        local.deploy("unlucky.py", cwd=APPS)
        with (
            local.as_env_client(),
            pytest.raises(modal.exception.RemoteError, match="open connections"),
        ):
            modal.Cls.from_name("unlucky", "Connected")().run.remote()


def test_time_may_pass_between_snapshot_and_restore() -> None:
    with LocalModal(secrets=dict(SECRETS), snapshot_freeze=1.0) as local:
        local.deploy("sample.py", cwd=APPS)
        with local.as_env_client():
            assert spawn().get(timeout=30)["steps"] == ["boot", "wake"]
