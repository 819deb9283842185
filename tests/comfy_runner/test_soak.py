"""Three hundred jobs in a row through one worker, every tenth disturbed."""

from __future__ import annotations

import gc
import random
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from comfy_runner.bucket.retries import Patience
from comfy_runner.bucket.s3 import S3Bucket
from comfy_runner.bucket.s3_client import S3Address, make_client
from comfy_runner.installation import Installation
from comfy_runner.uploads import PARALLEL as UPLOADS
from comfy_runner.work import Work
from tests.comfy_runner.disturbances import LOOPBACK, Scene
from tests.comfy_runner.fault_matrix import MATRIX
from tests.comfy_runner.rig import DisturbedWorker, HeldBucket, cancelling
from tests.comfy_runner.runs import Heard, image, node
from tests.fault_proxy import FaultProxy
from tests.s3_server import through
from tests.waiting import eventually

SEED = 4
ROUNDS = 30
PATIENCE = Patience(
    attempts=3, seconds=20, connect_seconds=1, read_seconds=1, sleep=lambda _: None
)
FAULTS = (
    *("stream dropped, running", "stream refused, storing", "stream deaf, running"),
    *("fails, running", "fails, storing", "memory short, running", "memory short, storing"),
    *("memory out, running", "raises, running", "raises, storing", "media unreachable, submitted"),
    *("cancel, submitted", "cancel, running", "cancel, storing", "cancel, left"),
    *("bucket refuses, storing", "bucket refuses, between", "bucket hangs, running"),
    *("bucket slow, storing", "bucket slow, left", "bucket busy, storing", "bucket busy, left"),
    *("lock held, storing", "killed, running", "killed, left", "stopped, running"),
    *("exits once, storing", "thread ends once, running", "cancel unheard, running"),
    "hangs, between",
)
"""One for every round, in an order of its own; seven cost ComfyUI a start."""


@dataclass(frozen=True)
class Figures:
    """What the worker's process holds."""

    megabytes: float
    files: int
    threads: int

    @classmethod
    def now(cls) -> Figures:
        gc.collect()
        status = Path("/proc/self/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        megabytes = int(found[1]) / 1024 if found else 0.0
        return cls(megabytes, len(list(Path("/proc/self/fd").iterdir())), threading.active_count())

    def __str__(self) -> str:
        return f"{self.megabytes:.1f} MB, {self.files} open files, {self.threads} threads"


@pytest.fixture
def scene(
    installation: Installation,
    test_nodes: tuple[str, ...],
    s3_address: S3Address,
    tmp_path: Path,
) -> Iterator[Scene]:
    port = int(s3_address.endpoint_url.rpartition(":")[2])
    with FaultProxy(port) as line, cancelling() as cancel:
        held = HeldBucket(S3Bucket(through(line.port, s3_address), patience=PATIENCE))
        worker = DisturbedWorker(
            installation, tmp_path / "worker", held, arguments=test_nodes, media=LOOPBACK
        )
        try:
            worker.boot()
            yield Scene(worker, held, cancel, line)
        finally:
            worker.close()


def small(number: int) -> dict[str, Any]:
    """Return a job that saves a small picture of its own and shows a text."""
    blank = node("EmptyImage", width=32, height=32, batch_size=1 + number % 3, color=number)
    return {"1": blank, "2": image("1"), "3": node("TextNode", text=f"job {number}")}


def keys_in(address: S3Address) -> dict[str, set[str]]:
    """Return the keys of every job that lie in the bucket."""
    client = make_client(address, PATIENCE)
    found: dict[str, set[str]] = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=address.name):
        for entry in page.get("Contents", []):
            found.setdefault(entry["Key"].split("/")[1], set()).add(entry["Key"])
    client.close()
    return found


def settled(scene: Scene) -> Figures:
    """Return the figures without what the tests' own line to the bucket holds for each client."""
    assert scene.line is not None
    scene.line.sever()
    named = "fault proxy"
    eventually(lambda: sum(each.name == named for each in threading.enumerate()) == 1)
    return Figures.now()


def soak(scene: Scene) -> tuple[Figures, Figures, set[str]]:
    """Run all jobs; return the figures after 50 and at the end, and the jobs not disturbed."""
    order = random.Random(SEED).sample(FAULTS, ROUNDS)
    figures, calm = [], set[str]()
    for number, cell in enumerate(order):
        fault, moment = cell.split(", ")
        assert scene.play(fault, moment) == getattr(MATRIX[fault], moment), (cell, scene.lines)
        before = set(scene.stored)
        for job in range(8):
            outputs = scene.run(Work(small(8 * number + job)), Heard())
            assert len(outputs) == 2 + (8 * number + job) % 3
        calm |= set(scene.stored) - before
        if number in {4, ROUNDS - 1}:
            figures.append(settled(scene))
    return figures[0], figures[1], calm


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_three_hundred_jobs_neither_stick_nor_get_lost_nor_leave_anything(
    scene: Scene, s3_address: S3Address, capsys: pytest.CaptureFixture[str]
) -> None:
    early, late, calm = soak(scene)
    assert (len(scene.stored), len(calm)) == (10 * ROUNDS, 8 * ROUNDS)

    lying = keys_in(s3_address)
    told = sum(map(len, scene.stored.values()))
    for job_id, keys in scene.stored.items():
        assert keys <= lying.get(job_id, set()), "a file that was told of is not there"
        assert job_id not in calm or keys == lying[job_id], "a file that nobody was told of"
    extra = sum(map(len, lying.values())) - told
    with capsys.disabled():
        sys.stdout.write(f"\nafter 50 jobs: {early}\nafter 300 jobs: {late}\n")
        sys.stdout.write(f"{told} files told of, {extra} more of attempts that were broken off\n")

    server = scene.worker.server
    folders = [server.output_directory, server.input_directory, server.temp_directory]
    assert [path for folder in folders for path in folder.rglob("*")] == []
    assert late.megabytes < early.megabytes + 12
    assert late.threads <= early.threads
    assert late.files <= early.files + UPLOADS, "more than connections kept"
