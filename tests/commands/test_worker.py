"""Worker processes without a service around them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from commands.serve import pools_of
from settings import Settings
from tasks import embedded
from tasks.framework import configure, runtime
from tasks.framework.backends.doorbell import is_heard
from tasks.framework.backends.local import LocalBackend
from tasks.framework.task import Options, Task, registry
from tasks.maintenance import purge
from tests.commands.support import PROJECT, run
from tests.tasks.framework.local_app import Holder
from tests.waiting import eventually


@contextmanager
def working(data: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command in the background until told to stop; it must do so cleanly."""
    command = [sys.executable, "-W", "error", str(PROJECT / "manage.py"), "worker", *options]
    with subprocess.Popen(
        [*command, "--data", str(data)], cwd=data, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            rest, _ = process.communicate(timeout=30)
    assert rest.endswith("Stopping.\nStopped.\n")
    assert process.returncode == 0


def say(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def queue(data: Path) -> LocalBackend:
    """Use the data directory in this process too."""
    embedded.configure(Settings(data_dir=data))
    backend = runtime().protocol.backend
    assert isinstance(backend, LocalBackend)
    return backend


def names(data: Path) -> set[str]:
    """Return the workers that take runs."""
    ready = [path.name for path in (data / "ready").glob("*")]
    return {name for name in ready if is_heard(data / "bells", name)}


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended just now
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def test_so_many_workers_of_the_tasks_pool_run_and_carry_them_out(tmp_path: Path) -> None:
    with working(tmp_path, "--tasks", "tick,purge", "--concurrency", "2") as process:
        assert say(process) == "Starting workers: 2 of pool cpu. Ctrl-C stops them.\n"
        assert say(process) == "Ready: the workers take jobs.\n"
        assert len(names(tmp_path)) == 2
        queue(tmp_path)
        assert purge.delay().get(30) == 0
        configure(None)
    assert names(tmp_path) == set()


def test_a_worker_that_dies_is_replaced_by_one_of_another_name(tmp_path: Path) -> None:
    with working(tmp_path, "--tasks", "purge") as process:
        assert say(process).startswith("Starting workers: 1 of pool cpu")
        assert say(process).startswith("Ready")
        before = names(tmp_path)
        (child,) = children_of(process.pid)
        os.kill(child, signal.SIGKILL)
        after = eventually(lambda: names(tmp_path) - before)
        assert len(after) == 1


def test_what_a_dead_worker_had_in_hand_is_carried_out_by_the_next(tmp_path: Path) -> None:
    backend = queue(tmp_path)
    found_at_the_start = purge.delay()
    assert backend.claim("cpu", "long-dead")
    with working(tmp_path, "--tasks", "purge") as process:
        assert found_at_the_start.get(30) == 0
        (name,) = names(tmp_path)
        (child,) = children_of(process.pid)
        os.kill(child, signal.SIGSTOP)
        lost_on_the_way = purge.delay()
        assert backend.claim("cpu", name)
        os.kill(child, signal.SIGKILL)
        assert lost_on_the_way.get(30) == 0
    configure(None)


def test_an_unknown_task_is_one_line_with_near_matches(tmp_path: Path) -> None:
    result = run("worker", "--tasks", "tick,run_workflo", "--data", str(tmp_path))
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "no task 'run_workflo': choose one of" in result.output
    assert "run_workflow" in result.output
    assert list(tmp_path.iterdir()) == []


def test_workers_that_need_a_comfyui_say_how_to_get_it(tmp_path: Path) -> None:
    comfyui = str(tmp_path / "none")
    for options in (["--tasks", "run_workflow"], []):
        result = run("worker", *options, "--data", str(tmp_path), COMFYUI_DIR=comfyui)
        assert result.exit_code == 1
        assert "comfyui install" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("worker", "--tasks", "tick", "--data", str(tmp_path / "file"))
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "--data" in result.output


def test_records_that_cannot_be_read_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "tasks.db").write_text("this is no database, whatever its name says " * 100)
    result = run("worker", "--tasks", "tick", "--data", str(tmp_path))
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "cannot be used: file is not a database" in result.output


@pytest.mark.parametrize(
    "options",
    [
        ["--pool", "cpu"],
        ["--name", "cpu-1"],
        ["--supervised"],
        ["--pool", "cpu", "--name", "cpu-1", "--tasks", "tick"],
        ["--pool", "cpu", "--name", "cpu-1", "--concurrency", "1"],
    ],
)
def test_one_worker_of_a_service_and_many_for_tasks_are_not_mixed(options: list[str]) -> None:
    result = run("worker", *options)
    assert result.exit_code == 2
    assert "give --pool and --name together" in result.output


def test_tasks_that_share_a_pool_name_it_once() -> None:
    assert pools_of(["tasks.maintenance.tick", " purge", "run_workflow"]) == ("cpu", "comfy")


def test_a_task_whose_worker_no_process_here_holds_is_refused() -> None:
    registry["far"] = Task(Holder.note, Options(name="far", worker=Holder))
    try:
        with pytest.raises(click.ClickException, match="'far' needs the pool 'holder'"):
            pools_of(["far"])
    finally:
        del registry["far"]
