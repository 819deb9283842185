"""Every cell of the fault matrix, made to happen to a real ComfyUI."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from comfy_runner.bucket import LocalBucket
from comfy_runner.bucket.retries import Patience
from comfy_runner.bucket.s3 import S3Bucket
from comfy_runner.bucket.s3_client import S3Address
from comfy_runner.installation import Installation
from tests.comfy_runner.disturbances import LOOPBACK, NODES, STRIKES, Scene
from tests.comfy_runner.fault_matrix import DOCUMENT, MATRIX, MOMENTS, Row, Seen, document
from tests.comfy_runner.rig import DisturbedWorker, HeldBucket, cancelling
from tests.fault_proxy import FaultProxy
from tests.s3_server import through

PATIENCE = Patience(
    attempts=3, seconds=20, connect_seconds=1, read_seconds=1, sleep=lambda _: None
)
ELSEWHERE = "disk full"
"""Made by `test_full_disk.py`, which needs a disk of its own."""


def cells() -> Iterator[Any]:
    for fault, row in MATRIX.items():
        for moment, cell in row.cells():
            if isinstance(cell, Seen) and fault != ELSEWHERE:
                marks = [] if moment in row.fast else [pytest.mark.slow]
                yield pytest.param(fault, moment, cell, id=f"{fault}, {moment}", marks=marks)


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> HeldBucket:
    return HeldBucket(LocalBucket(tmp_path_factory.mktemp("bucket"), b"k" * 32))


@pytest.fixture(scope="module")
def worker(
    installation: Installation,
    test_nodes: tuple[str, ...],
    held: HeldBucket,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DisturbedWorker]:
    directory = tmp_path_factory.mktemp("worker")
    made = DisturbedWorker(installation, directory, held, arguments=test_nodes, media=LOOPBACK)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, worker: DisturbedWorker, held: HeldBucket
) -> Iterator[Scene]:
    """A worker that has done a job; its bucket is on this disk, or S3 if the fault is about it."""
    inner = held.inner
    with cancelling() as cancel:
        made = Scene(worker, held, cancel)
        worker.wake()
        if "bucket" in request.node.callspec.params["fault"]:
            made.line, held.inner = _s3(request.getfixturevalue("s3_address"))
        made.run_plain()
        yield made
        held.inner = inner
        if made.line is not None:
            made.line.close()
    gc.collect()  # what a cancel left half made complains here, and not in a later test


def _s3(address: S3Address) -> tuple[FaultProxy, S3Bucket]:
    port = int(address.endpoint_url.rpartition(":")[2])
    line = FaultProxy(port)
    return line, S3Bucket(through(line.port, address), patience=PATIENCE)


@pytest.mark.live
# A cancel can strike while a socket is being made, before anybody holds it: the garbage collector
# closes that one, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("fault", "moment", "cell"), list(cells()))
def test_a_fault_ends_as_the_matrix_says_and_the_next_job_does_well(
    scene: Scene, fault: str, moment: str, cell: Seen
) -> None:
    assert scene.play(fault, moment) == cell, "\n".join(scene.lines)
    asked_in_vain = any("did not let go" in line for line in scene.lines)
    assert asked_in_vain == (fault == "cancel unheard")
    server = scene.worker.server
    left = [server.output_directory, server.input_directory, server.temp_directory]
    assert [path for folder in left for path in folder.rglob("*")] == []


def test_no_cell_of_the_matrix_is_empty() -> None:
    assert [each.name for each in fields(Row)][1:-1] == list(MOMENTS)
    for row in MATRIX.values():
        assert all(str(cell) for _, cell in row.cells()), row.fault
        assert all(isinstance(getattr(row, moment), Seen) for moment in row.fast)


def test_every_fault_of_the_matrix_is_made() -> None:
    assert set(MATRIX) == {*STRIKES, *NODES}


def test_the_guide_holds_the_matrix() -> None:
    text = DOCUMENT.read_text()
    assert document(text) == text, "run: python -m tests.comfy_runner.fault_matrix"
