"""Cancels, wherever they strike, on the real ComfyUI."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.runner import Runner
from comfy_runner.server import ComfyServer
from comfy_runner.watchdog import Patience
from tests.comfy_runner.runs import (
    POLICY,
    CancelledByTest,
    Heard,
    cancelled_after,
    image,
    node,
    run,
    run_with,
    steps,
    working_on,
)

pytestmark = [
    pytest.mark.live,
    # A cancel can strike while a socket is being made, before anybody holds it: the garbage
    # collector closes that one, and says so.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def garbage_is_collected_here() -> Iterator[None]:
    """Have what was left half made complain in the test that made it, not in a later one."""
    yield
    gc.collect()


def test_a_cancel_frees_comfyui_and_goes_on(server: ComfyServer, bucket: LocalBucket) -> None:
    pid = server.pid
    with pytest.raises(CancelledByTest), cancelled_after(0.3):
        run(server, bucket, steps(1000, 0.05))
    assert working_on(server) == frozenset()
    assert server.pid == pid
    assert server.alive
    assert len(run(server, bucket, steps(1, 0))) == 1


def test_a_cancel_at_any_line_frees_comfyui(server: ComfyServer, bucket: LocalBucket) -> None:
    runner = Runner(server, bucket, POLICY)
    for tenths in range(1, 25):
        with pytest.raises(CancelledByTest), cancelled_after(tenths * 0.002):
            run_with(runner, steps(1000, 0.01))
        assert working_on(server) == frozenset()


def test_a_cancel_during_the_cleaning_up_is_made_good_by_the_next_run(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    runner = Runner(server, bucket, POLICY)

    def cancel_twice() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        raise CancelledByTest

    with cancelled_after(60), pytest.raises(CancelledByTest):
        run_with(runner, steps(1000, 0.05), Heard(cancel_twice))
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
        run(server, bucket, steps(1000, 0.05), Heard(fail))
    assert working_on(server) == frozenset()


def test_a_node_that_cannot_be_interrupted_costs_comfyui_which_starts_again_at_once(
    make_server: Callable[[], ComfyServer], bucket: LocalBucket
) -> None:
    server = make_server()
    server.start()
    server.wait_ready()
    first = server.pid
    runner = Runner(server, bucket, POLICY, patience=Patience(settle=0.5))
    heard = Heard()
    graph = {"1": node("SleepNode", seconds=60.0), "2": image("1")}
    with pytest.raises(CancelledByTest), cancelled_after(1.0):
        run_with(runner, graph, heard)
    assert server.pid != first
    assert heard.lines[-1] == "ComfyUI did not let go of the workflow and is started anew"
    server.wait_ready()
    assert len(run_with(runner, steps(1, 0))) == 1
