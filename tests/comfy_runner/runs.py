"""Workflows of our test nodes, and ways to run and disturb them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from comfy_runner.bucket import Bucket
from comfy_runner.client import ComfyClient
from comfy_runner.media import Policy
from comfy_runner.outputs import Output
from comfy_runner.progress import Snapshot
from comfy_runner.runner import Runner
from comfy_runner.server import ComfyServer
from comfy_runner.work import Listener, Work
from settings import Settings
from tests.comfy_runner.proxy import Proxy


class CancelledByTest(BaseException):
    """What a signal raises in the main thread to cancel a run."""


class Heard:
    """Collects what a run tells, and may do something at the first step of a node."""

    def __init__(self, at_step: Callable[[], None] | None = None) -> None:
        self.snapshots: list[Snapshot] = []
        self.stored: list[tuple[Output, ...]] = []
        self.lines: list[str] = []
        self._at_step = at_step

    def progress(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
        if self._at_step is not None and snapshot.current_step:
            act, self._at_step = self._at_step, None
            act()

    def outputs(self, outputs: tuple[Output, ...]) -> None:
        self.stored.append(outputs)

    def log(self, line: str) -> None:
        self.lines.append(line)


class ProxiedServer(ComfyServer):
    """The shared ComfyUI, reached through a proxy."""

    def __init__(self, server: ComfyServer, proxy: Proxy) -> None:
        self.__dict__.update(server.__dict__)
        self.port = proxy.port


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


POLICY = Policy.of(Settings())


def run(
    server: ComfyServer, bucket: Bucket, graph: dict[str, Any], listener: Listener | None = None
) -> tuple[Output, ...]:
    return run_with(Runner(server, bucket, POLICY), graph, listener)


def run_with(
    runner: Runner, graph: dict[str, Any], listener: Listener | None = None
) -> tuple[Output, ...]:
    return runner.run(Work(graph), job_id="job-1", listener=listener or Heard())


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
