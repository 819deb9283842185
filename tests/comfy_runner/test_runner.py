"""One workflow from graph to stored outputs, on the real ComfyUI."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from comfy_runner.bucket import Bucket, LocalBucket
from comfy_runner.client import ComfyClient
from comfy_runner.errors import (
    ComfyCrashed,
    Interrupted,
    InvalidWorkflow,
    NodeFailed,
    NoOutputs,
    StorageFailed,
)
from comfy_runner.outputs import Output
from comfy_runner.progress import Snapshot
from comfy_runner.runner import Runner
from comfy_runner.server import ComfyServer
from tests.comfy_runner.proxy import Proxy

pytestmark = pytest.mark.live


class CancelledByTest(BaseException):
    """What a signal raises in the main thread to cancel a run."""


class Listener:
    """Collects what a run reports, and may do something at the first progress."""

    def __init__(self, at_step: Callable[[], None] | None = None) -> None:
        self.snapshots: list[Snapshot] = []
        self.lines: list[str] = []
        self._at_step = at_step

    def on_progress(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        if self._at_step is not None and snapshot.current_step:
            act, self._at_step = self._at_step, None
            act()


class FullBucket(LocalBucket):
    """A bucket that takes nothing."""

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        raise StorageFailed("the disk is full")


class ProxiedServer(ComfyServer):
    """The shared ComfyUI, reached through a proxy."""

    def __init__(self, server: ComfyServer, proxy: Proxy) -> None:
        self.__dict__.update(server.__dict__)
        self.port = proxy.port


@pytest.fixture
def bucket(tmp_path: Path) -> LocalBucket:
    return LocalBucket(tmp_path / "files", b"k" * 32)


def image(source: str) -> dict[str, Any]:
    return {
        "class_type": "SaveImage",
        "inputs": {"images": [source, 0], "filename_prefix": "pictures/red"},
    }


EMPTY = {
    "class_type": "EmptyImage",
    "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": 255},
}


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def steps(count: int, seconds: float) -> dict[str, Any]:
    return {"1": node("StepNode", steps=count, seconds=seconds), "2": image("1")}


def run(
    server: ComfyServer, bucket: Bucket, graph: dict[str, Any], listener: Listener | None = None
) -> tuple[Output, ...]:
    return run_with(Runner(server, bucket), graph, listener)


def run_with(
    runner: Runner, graph: dict[str, Any], listener: Listener | None = None
) -> tuple[Output, ...]:
    heard = listener or Listener()
    return runner.run(
        graph, job_id="job-1", on_progress=heard.on_progress, on_log=heard.lines.append
    )


def working_on(server: ComfyServer) -> frozenset[str]:
    with ComfyClient(server.url) as client:
        return client.queue()


@contextmanager
def cancelled_after(seconds: float) -> Iterator[None]:
    """Raise in the main thread after a while, as a worker process does, at whatever line."""

    def strike(_signal: int, _frame: object) -> None:
        raise CancelledByTest

    before = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_workflow_ends_in_stored_outputs(server: ComfyServer, bucket: LocalBucket) -> None:
    listener = Listener()
    (output,) = run(server, bucket, {"1": EMPTY, "2": image("1")}, listener)
    assert (output.node_id, output.kind, output.content_type) == ("2", "image", "image/png")
    assert output.filename == "red_00001_.png"
    stored = bucket.open(output.key)
    assert stored.path.read_bytes().startswith(b"\x89PNG")
    assert output.size_bytes == stored.path.stat().st_size
    assert listener.snapshots[-1].progress == 100
    assert listener.lines[0] == "ComfyUI accepted the prompt"
    assert "node 2 (SaveImage) started" in listener.lines


def test_a_job_leaves_no_files_in_comfyui(server: ComfyServer, bucket: LocalBucket) -> None:
    run(server, bucket, {"1": EMPTY, "2": image("1")})
    assert list(server.output_directory.rglob("*.png")) == []


def test_the_same_job_may_run_again_although_its_files_are_gone(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    graph = {"1": EMPTY, "2": image("1")}
    first, second = run(server, bucket, graph), run(server, bucket, graph)
    assert len(first) == len(second) == 1


def test_a_text_is_an_output_without_a_file(server: ComfyServer, bucket: LocalBucket) -> None:
    (output,) = run(server, bucket, {"1": node("TextNode", text="hello")})
    assert (output.kind, output.text, output.key) == ("text", "hello", "")


def test_every_file_of_a_batch_has_a_key_of_its_own(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    batch = {**EMPTY, "inputs": {**EMPTY["inputs"], "batch_size": 3}}  # type: ignore[dict-item]
    outputs = run(server, bucket, {"1": batch, "2": image("1")})
    assert len({output.key for output in outputs}) == 3


def test_steps_are_reported_while_a_node_runs(server: ComfyServer, bucket: LocalBucket) -> None:
    listener = Listener()
    run(server, bucket, steps(5, 0.02), listener)
    assert {s.current_step for s in listener.snapshots if s.current_node == "1"} >= {1, 2, 3, 4}
    progress = [s.progress for s in listener.snapshots]
    assert progress == sorted(progress)


def test_a_node_that_raises_is_told_without_a_traceback(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    graph = {"1": node("FailNode", message="deliberate failure"), "2": image("1")}
    with pytest.raises(NodeFailed) as caught:
        run(server, bucket, graph)
    assert str(caught.value) == "ValueError: deliberate failure"
    assert (caught.value.node_id, caught.value.node_type) == ("1", "FailNode")


def test_a_refused_workflow_leaves_nothing_behind(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    partly = {**steps(1000, 0.02), "3": node("PreviewImage")}
    with pytest.raises(InvalidWorkflow, match="node 3"):
        run(server, bucket, partly)
    assert working_on(server) == frozenset()


def test_a_workflow_in_the_editors_format_is_refused(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    with pytest.raises(InvalidWorkflow, match="API"):
        run(server, bucket, {"nodes": [], "links": []})


def test_a_save_that_left_nothing_is_an_error(server: ComfyServer, bucket: LocalBucket) -> None:
    with pytest.raises(NoOutputs):
        run(server, bucket, {"1": node("NothingNode", filename_prefix="x")})


def test_a_bucket_that_takes_nothing_fails_the_job(server: ComfyServer, tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        run(server, FullBucket(tmp_path, b"k" * 32), {"1": EMPTY, "2": image("1")})
    assert list(server.output_directory.rglob("*.png")) == []


def test_a_cancel_frees_comfyui_and_goes_on(server: ComfyServer, bucket: LocalBucket) -> None:
    pid = server.pid
    with pytest.raises(CancelledByTest), cancelled_after(0.3):
        run(server, bucket, steps(1000, 0.05))
    assert working_on(server) == frozenset()
    assert server.pid == pid
    assert server.alive
    assert len(run(server, bucket, steps(1, 0))) == 1


def test_a_cancel_at_any_line_frees_comfyui(server: ComfyServer, bucket: LocalBucket) -> None:
    runner = Runner(server, bucket)
    for tenths in range(1, 25):
        with pytest.raises(CancelledByTest), cancelled_after(tenths * 0.002):
            run_with(runner, steps(1000, 0.01))
        assert working_on(server) == frozenset()


def test_a_cancel_during_the_cleaning_up_is_made_good_by_the_next_run(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    runner = Runner(server, bucket)

    def cancel_twice() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        raise CancelledByTest

    with cancelled_after(60), pytest.raises(CancelledByTest):
        run_with(runner, steps(1000, 0.05), Listener(cancel_twice))
    with cancelled_after(30):  # it would wait longer than that for the one before it
        assert len(run_with(runner, steps(1, 0))) == 1
    assert working_on(server) == frozenset()


def test_a_cancel_before_comfyui_answered_leaves_nothing_to_run_later(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    graph = steps(1000, 0.05)
    graph["1"]["class_type"] = "SlowToCheckNode"
    with pytest.raises(CancelledByTest), cancelled_after(0.2):
        run(server, bucket, graph)
    time.sleep(0.5)  # the check of its inputs would be over by now
    assert working_on(server) == frozenset()


def test_a_failing_listener_frees_comfyui_too(server: ComfyServer, bucket: LocalBucket) -> None:
    def fail() -> None:
        raise RuntimeError("the store is down")

    with pytest.raises(RuntimeError, match="the store is down"):
        run(server, bucket, steps(1000, 0.05), Listener(fail))
    assert working_on(server) == frozenset()


def test_a_node_that_cannot_be_interrupted_costs_the_process(
    make_server: Callable[[], ComfyServer], bucket: LocalBucket
) -> None:
    server = make_server()
    server.start()
    server.wait_ready()
    runner = Runner(server, bucket, settle_seconds=0.5)
    listener = Listener()
    graph = {"1": node("SleepNode", seconds=60.0), "2": image("1")}
    with pytest.raises(CancelledByTest), cancelled_after(1.0):
        run_with(runner, graph, listener)
    assert not server.alive
    assert listener.lines[-1] == "ComfyUI did not let go of the workflow and was ended"


def test_an_interruption_by_somebody_else_is_told(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    def interrupt() -> None:
        with ComfyClient(server.url) as client:
            for prompt_id in client.queue():
                client.interrupt(prompt_id)

    with pytest.raises(Interrupted):
        run(server, bucket, steps(1000, 0.02), Listener(interrupt))


def test_a_broken_event_stream_is_connected_again_and_goes_on(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    with Proxy(server.port) as proxy:
        listener = Listener(proxy.drop)
        outputs = run(ProxiedServer(server, proxy), bucket, steps(30, 0.05), listener)
        assert proxy.streams_seen == 2
    assert len(outputs) == 1
    assert listener.snapshots[-1].progress == 100
    seen = [s.current_step for s in listener.snapshots if s.current_step]
    assert len(seen) > 3, "no progress after the break"


def test_an_end_that_no_event_told_of_is_found_in_the_history(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    with Proxy(server.port) as proxy:

        def drop_until_the_end() -> None:
            proxy.drop(refuse_next=True)

            def allow() -> None:
                while working_on(server):
                    time.sleep(0.02)
                proxy.drop(refuse_next=False)

            threading.Thread(target=allow).start()

        listener = Listener(drop_until_the_end)
        outputs = run(ProxiedServer(server, proxy), bucket, steps(8, 0.05), listener)
    assert len(outputs) == 1
    assert listener.snapshots[-1].progress == 100


def test_an_end_is_found_even_if_the_event_stream_falls_silent(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    with Proxy(server.port) as proxy, cancelled_after(30):
        listener = Listener(proxy.deafen)
        outputs = run(ProxiedServer(server, proxy), bucket, steps(8, 0.05), listener)
    assert len(outputs) == 1
    assert listener.snapshots[-1].progress == 100


def test_a_death_of_comfyui_is_told_with_its_last_lines(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    with pytest.raises(ComfyCrashed) as caught:
        run(server, bucket, {"1": node("ExitNode", once=""), "2": image("1")})
    assert "ExitNode ends the process" in caught.value.details["log"]
    assert not server.alive


def test_a_killed_comfyui_is_told(server: ComfyServer, bucket: LocalBucket) -> None:
    def kill() -> None:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)

    with pytest.raises(ComfyCrashed):
        run(server, bucket, steps(1000, 0.02), Listener(kill))
