"""How each fault of the matrix is made, and one job that meets it at a given moment."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from comfy_runner.errors import ComfyError
from comfy_runner.media import Media
from comfy_runner.outputs import Output
from comfy_runner.work import Work
from tests.comfy_runner.fault_matrix import Restart, Seen
from tests.comfy_runner.rig import DisturbedWorker, HeldBucket, Watching, later
from tests.comfy_runner.runs import POLICY, CancelledByTest, Heard, image, node, working_on
from tests.fault_proxy import HANG, PASS, REFUSE, FaultProxy, busy, drip
from tests.s3_server import free_port

LOOPBACK = replace(POLICY, allow=(ipaddress.ip_network("127.0.0.0/8"),), fetch_seconds=3.0)
FAIL_SECONDS = 3.0
LONG_FAIL_SECONDS = 9.0
"""Longer than ComfyUI takes to start, so that there is something to fail."""

HISTORY_SECONDS = 0.5
GIVE_UP_SECONDS = 3.0
SLEEP_SECONDS = 0.2
DEAF_SECONDS = 10.0
"""Longer than a question waits for its answer, and then our patience."""

CHECK_SECONDS = 0.2
"""By then a prompt is there, and its slow check not over."""

SIDE = 64


@dataclass
class Scene:
    """A worker with all that can be done to it.

    `line` leads to a real S3 server; `disk` is where the worker's files lie, to be filled.
    `stored` holds, for every job, the keys of the files that its owner was told of.
    """

    worker: DisturbedWorker
    held: HeldBucket
    cancel: Callable[[], None]
    line: FaultProxy | None = None
    disk: Path | None = None
    lines: list[str] = field(default_factory=list)
    stored: dict[str, set[str]] = field(default_factory=dict)
    at: str = ""

    def play(self, fault: str, moment: str) -> Seen:
        """Run a job that meets the fault at the moment, then another; the other has to do well."""
        self.at = moment
        self.worker.wake()
        if moment == "starting":
            self.worker.server.kill()
            self.worker.server.start()
        before = self.worker.server.pid
        owner = self._owner_sees(fault, moment)
        during = self.worker.server.pid
        self._end()
        self.run_plain()
        return Seen(owner, self._restart(before, during))

    def run_plain(self) -> tuple[Output, ...]:
        """Run a job that nothing befalls; it has to do well."""
        outputs = self.run(Work(graph(node("StepsNode", steps=1, seconds=0.0))), Heard())
        assert len(outputs) == 2
        return outputs

    def _end(self) -> None:
        """End what does not end with the job or with ComfyUI."""
        self.held.release()
        self.worker.proxy.take()
        self.worker.proxy.at_submission = None
        if self.line is not None:
            self.line.always(PASS)
        if self.disk is not None:
            (self.disk / FILLER).unlink(missing_ok=True)

    def _restart(self, before: int | None, during: int | None) -> Restart:
        if during != before:
            return "during"
        return "no" if self.worker.server.pid == during else "next"

    def _owner_sees(self, fault: str, moment: str) -> str:
        try:
            self._meet(fault, moment)
        except ComfyError as error:
            return error.code
        except CancelledByTest:
            if fault == "cancel" and moment != "starting":
                assert working_on(self.worker.server) == frozenset()
            return "cancelled"
        return "completed"

    def _meet(self, fault: str, moment: str) -> None:
        if fault in NODES:
            self._meet_node(fault, moment)
            return
        strike = partial(STRIKES[fault], self)
        if fault == "media unreachable":
            media = Media("a.png", url=f"http://127.0.0.1:{free_port()}/a.png")
            self.run(Work(graph(), (media,)), Heard())
        elif moment in {"running", "storing", "left"}:
            self.run(Work(graph(first=moment == "running")), self._watching(moment, strike))
        else:
            self._meet_early(fault, moment, strike)

    def _meet_node(self, fault: str, moment: str) -> None:
        """Run a job whose own node is the fault; a cancel comes when it has begun to sleep."""
        with tempfile.TemporaryDirectory() as place:
            faulty = NODES[fault](Path(place) / "once")
            work = Work(graph(faulty, first=moment == "running"))
            if moment == "storing":
                later(0.7, self.held.hold())
            heard = Heard()
            if fault == "cancel unheard":
                at = "1" if moment == "running" else "2"
                heard = Watching(at, partial(later, SLEEP_SECONDS, self.cancel), step=False)
            self.run(work, heard)

    def _meet_early(self, fault: str, moment: str, strike: Callable[[], None]) -> None:
        work = Work(graph())
        if moment == "starting":
            later(0.7, strike)
            if fault in {"stopped", "hangs"}:  # it will never be ready
                self.worker.give_up_start_after(GIVE_UP_SECONDS)
        elif moment == "submitted":
            work = Work({**graph(), "9": node("SlowToCheckNode", steps=1, seconds=0), "10": SHOW})
            delayed = partial(later, CHECK_SECONDS, strike)
            self.worker.proxy.at_submission = strike if fault == "fails" else delayed
        else:
            strike()
        self.run(work, Heard())

    def _watching(self, moment: str, strike: Callable[[], None]) -> Watching:
        """Return who strikes at the moment; what is held until then goes on a little later."""
        if moment == "running":
            return Watching("1", strike)
        release = self.held.hold()

        def act() -> None:
            assert self.held.begun.wait(10)
            later(0.3, release)
            strike()

        if moment == "storing":
            return Watching("2", act)
        # It is told at once, and a moment later the history has been read as well.
        return Watching("end", lambda: later(HISTORY_SECONDS, act))

    def run(self, work: Work, heard: Heard) -> tuple[Output, ...]:
        """Run a job; its outputs lie in the bucket when it has ended."""
        self.lines.append("a job:")
        heard.lines = self.lines
        job_id = str(uuid.uuid4())
        try:
            outputs = self.worker.run(work, job_id=job_id, listener=heard)
        finally:
            told = heard.stored[-1] if heard.stored else ()
            self.stored[job_id] = {each.key for each in told if each.key}
        assert outputs == told
        assert all(self.held.stored_at(each.key) for each in outputs if each.key)
        return outputs


FILLER = "filler"
SHOW = image("9")


def graph(faulty: dict[str, Any] | None = None, *, first: bool = False) -> dict[str, Any]:
    """Return a job that saves a picture, takes its time or meets a fault, and saves another.

    The fault, which is some steps unless a node is given, comes before the picture if `first`.
    """
    middle = faulty or node("StepsNode", steps=12, seconds=0.05)
    many = node("ManyFilesNode", filename_prefix="one", count=1, seconds=0.0, side=SIDE)
    order = [middle, many] if first else [many, middle]
    order[1] = {**order[1], "inputs": {**order[1]["inputs"], "after": ["1", 0]}}
    return {"1": order[0], "2": order[1], "3": image("2")}


def _kill(scene: Scene) -> None:
    os.kill(scene.worker.server.pid or 0, signal.SIGKILL)


def _stop(scene: Scene) -> None:
    os.kill(scene.worker.server.pid or 0, signal.SIGSTOP)


def _fail(scene: Scene) -> None:
    seconds = LONG_FAIL_SECONDS if scene.at == "starting" else FAIL_SECONDS
    scene.worker.proxy.fail(seconds)


def _line(scene: Scene) -> FaultProxy:
    assert scene.line is not None
    return scene.line


def _fill(scene: Scene) -> None:
    """Leave not a byte on the disk: what comes next finds it full."""
    assert scene.disk is not None
    with (scene.disk / FILLER).open("wb", buffering=0) as filler:
        for size in (2**20, 2**12, 1):
            with contextlib.suppress(OSError):
                while filler.write(bytes(size)) == size:
                    pass


STRIKES: dict[str, Callable[[Scene], None]] = {
    "stream dropped": lambda scene: scene.worker.proxy.drop(),
    "stream refused": lambda scene: scene.worker.proxy.drop(refuse_next=True),
    "stream deaf": lambda scene: scene.worker.proxy.deafen(),
    "killed": _kill,
    "stopped": _stop,
    "hangs": lambda scene: scene.worker.proxy.hang(),
    "fails": _fail,
    "cancel": lambda scene: scene.cancel(),
    "bucket refuses": lambda scene: _line(scene).always(REFUSE),
    "bucket hangs": lambda scene: _line(scene).always(HANG),
    "bucket slow": lambda scene: _line(scene).always(drip(20_000)),
    "bucket busy": lambda scene: _line(scene).next(busy(1), busy(1)),
    "media unreachable": lambda scene: None,
    "disk full": _fill,
}


def _hungry(hungry: str = "", once: str = "") -> dict[str, Any]:
    return node("HungryNode", how="torch", hungry=hungry, once=once)


NODES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "exits once": lambda once: node("ExitAfterNode", once=str(once)),
    "exits": lambda once: node("ExitAfterNode", once=""),
    "thread ends once": lambda once: node("SysExitNode", once=str(once)),
    "thread ends": lambda once: node("SysExitNode", once=""),
    "lock held": lambda once: node("DeafNode", seconds=DEAF_SECONDS),
    "memory short": lambda once: _hungry(once=str(once)),
    "memory out": lambda once: _hungry(),
    "raises": lambda once: node("RaiseNode"),
    "cancel unheard": lambda once: node("StubbornNode", seconds=60.0),
}
"""The node that is the fault, given a path that does not exist yet."""
