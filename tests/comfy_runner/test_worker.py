"""A worker's ComfyUI: booted, woken, closed, and started again when it dies."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from comfy_runner.awakening import WAKE, WARM_UP
from comfy_runner.bucket import LocalBucket
from comfy_runner.errors import ComfyCrashed, ComfyUnavailable
from comfy_runner.installation import Installation
from comfy_runner.work import Work
from comfy_runner.worker import ComfyWorker
from tests.comfy_runner.runs import POLICY, Heard, node


def save(source: str) -> dict[str, Any]:
    inputs = {"images": [source, 0], "filename_prefix": "x"}
    return {"class_type": "SaveImage", "inputs": inputs}


def exits(once: str) -> dict[str, Any]:
    return {"1": {"class_type": "ExitNode", "inputs": {"once": once}}, "2": save("1")}


@pytest.fixture
def worker(
    installation: Installation, test_nodes: tuple[str, ...], bucket: LocalBucket, tmp_path: Path
) -> Iterator[ComfyWorker]:
    made = ComfyWorker(installation, tmp_path / "worker", bucket, POLICY, arguments=test_nodes)
    made.boot()
    made.wake()
    yield made
    made.close()
    made.close()
    assert not made.server.alive


@pytest.mark.live
def test_a_job_runs_again_once_when_comfyui_dies_under_it(
    worker: ComfyWorker, tmp_path: Path
) -> None:
    said = {"1": node("SayNode", text="what another user wrote"), "2": save("1")}
    worker.run(Work(said), job_id="i", listener=Heard())
    time.sleep(0.5)  # it is said after the node has ended, and lies in ComfyUI's buffer
    heard = Heard()
    graph = {"1": node("ExitAfterNode", once=str(tmp_path / "died")), "2": save("1")}
    outputs = worker.run(Work(graph), job_id="j", listener=heard)
    assert len(outputs) == 1
    assert sum("runs once more" in line for line in heard.lines) == 1
    assert "ComfyUI's log: ExitAfterNode of faults.py ends the process" in heard.lines
    assert "another user" not in str(heard.lines)
    assert str(worker.server.directory) not in str(heard.lines)


@pytest.mark.live
def test_a_job_that_kills_comfyui_twice_fails_and_the_next_one_runs(worker: ComfyWorker) -> None:
    heard = Heard()
    with pytest.raises(ComfyCrashed) as caught:
        worker.run(Work(exits("")), job_id="j", listener=heard)
    assert "ExitNode ends the process" in caught.value.log
    assert sum("runs once more" in line for line in heard.lines) == 1
    empty = {"width": 16, "height": 16, "batch_size": 1, "color": 1}
    graph = {"1": {"class_type": "EmptyImage", "inputs": empty}, "2": save("1")}
    assert len(worker.run(Work(graph), job_id="k", listener=heard)) == 1
    assert "starting ComfyUI" in heard.lines


@pytest.mark.live
def test_waking_starts_a_comfyui_that_died_and_leaves_a_live_one(worker: ComfyWorker) -> None:
    first = worker.server.pid
    assert first is not None
    worker.wake()
    assert worker.server.pid == first
    assert worker.device_name == "cpu"
    os.kill(first, signal.SIGKILL)
    assert worker.server.wait_exit(10)
    assert worker.device_name == ""
    worker.wake()
    assert worker.server.alive


@pytest.mark.live
@pytest.mark.slow
def test_a_warm_up_runs_at_every_wake_keeps_nothing_and_is_timed_apart(
    worker: ComfyWorker, tmp_path: Path
) -> None:
    worker.warm_up = Work({"1": node("StepNode", steps=2, seconds=0.2), "2": save("1")})
    before = time.time()
    worker.wake()
    told = worker.awakening.charge(before, time.time())
    assert told[WARM_UP] >= 0.4
    assert told[WAKE] < 0.2
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert not [*worker.server.output_directory.iterdir()]


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("broken", ["ExitNode", "NoSuchClass"])
def test_a_warm_up_that_fails_is_told_and_the_next_job_runs(
    worker: ComfyWorker, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    worker.warm_up = Work({"1": node(broken, once=""), "2": save("1")})
    worker.wake()
    assert "the warm-up failed: " in caplog.text
    said = {"1": node("SayNode", text="a"), "2": save("1")}
    assert len(worker.run(Work(said), job_id="j", listener=Heard())) == 1


def stand_in(tmp_path: Path, program: str) -> Installation:
    (tmp_path / "main.py").write_text(program)
    return Installation(tmp_path, Path(sys.executable), None, tmp_path / "web")


def test_a_boot_that_fails_leaves_nothing_running(tmp_path: Path, bucket: LocalBucket) -> None:
    never_ready = stand_in(tmp_path, "import time; time.sleep(60)")
    worker = ComfyWorker(never_ready, tmp_path / "worker", bucket, POLICY, start_timeout=0.5)
    with pytest.raises(ComfyUnavailable):
        worker.boot()
    assert not worker.server.alive


def test_a_boot_that_is_broken_off_leaves_nothing_running(
    tmp_path: Path, bucket: LocalBucket, raise_after: Callable[[float], None]
) -> None:
    worker = ComfyWorker(
        stand_in(tmp_path, "import time; time.sleep(60)"), tmp_path / "worker", bucket, POLICY
    )
    raise_after(0.5)
    with pytest.raises(KeyboardInterrupt):
        worker.boot()
    assert not worker.server.alive


@pytest.fixture
def raise_after() -> Iterator[Callable[[float], None]]:
    """Interrupt the main thread after some seconds, as Ctrl-C does."""

    def strike(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, strike)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
