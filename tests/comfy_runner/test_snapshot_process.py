"""The real ComfyUI, booted for a memory snapshot: what its processes hold and refuse."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from comfy_runner import launcher
from comfy_runner.bucket import LocalBucket
from comfy_runner.catalog import Catalog
from comfy_runner.client import ComfyClient
from comfy_runner.installation import Installation
from comfy_runner.work import Work
from comfy_runner.worker import ComfyWorker
from tests.comfy_runner.gpu_machine import set_device
from tests.comfy_runner.runs import EMPTY, POLICY, Heard, image
from tests.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.slow]

LISTENING = "0A"
"""A state of a TCP socket as /proc/net/tcp has it."""


@pytest.fixture
def told() -> list[Catalog]:
    return []


@pytest.fixture
def booted(
    installation: Installation,
    bucket: LocalBucket,
    told: list[Catalog],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[ComfyWorker]:
    """A worker at the moment when its memory is saved, in whose environment secrets are."""
    for name in launcher.SECRETS:
        monkeypatch.setenv(name, "very-secret")
    home = tmp_path / "worker"
    worker = ComfyWorker(installation, home, bucket, POLICY, snapshot=True, on_catalog=told.append)
    worker.boot()
    yield worker
    worker.close()


def test_nothing_is_open_that_does_not_survive_a_snapshot(
    booted: ComfyWorker, told: list[Catalog]
) -> None:
    processes = tree(booted.server.pid)
    assert processes
    # what was asked last takes a moment to be closed at both ends
    eventually(lambda: sockets(processes, but=LISTENING) == [], seconds=5)
    assert sockets([os.getpid()], but=LISTENING, to=booted.server.port) == []
    assert len(sockets(processes)) == 1
    assert [each for pid in processes for each in open_files(pid) if "/dev/nvidia" in each] == []
    assert told == []
    with ComfyClient(booted.server.url) as client:
        assert client.queue() == frozenset()
    assert requests.get(f"{booted.server.url}/history", timeout=30).json() == {}


def test_no_secret_of_ours_is_in_what_is_saved(booted: ComfyWorker) -> None:
    for pid in tree(booted.server.pid):
        environment = Path(f"/proc/{pid}/environ").read_text()
        assert "MEMORY_SNAPSHOT_HIDE_CUDA=1" in environment
        assert "very-secret" not in environment


def test_everything_but_jobs_is_served_and_the_fall_back_runs_them(booted: ComfyWorker) -> None:
    url, graph = booted.server.url, {"1": EMPTY, "2": image("1")}
    with ComfyClient(url) as client:
        assert "KSampler" in client.object_info()
        assert client.companion("state") == {"worker_alive": True, "running": []}
    refused = requests.post(f"{url}/prompt", json={"prompt": graph}, timeout=30)
    assert refused.status_code == 503
    assert "POST /cuda/set_device first" in refused.json()["error"]["message"]
    for _ in range(2):
        status, answer = set_device(booted.server)
        assert status == 503
        assert "is built without CUDA" in answer["error"]
    assert set_device(booted.server, b'{"device": 1}')[0] == 400
    assert set_device(booted.server, b"nonsense")[0] == 400
    booted.wake()
    assert "is built without CUDA" in str(booted.fell_back)
    assert len(booted.run(Work(graph), job_id="j", listener=Heard())) == 1


def tree(pid: int | None) -> list[int]:
    """Return a process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(pid or 0), *(each for child in children for each in tree(int(child)))]


def open_files(pid: int) -> list[str]:
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        if descriptor.is_symlink():
            found.append(str(descriptor.readlink()))
    return found


def sockets(processes: list[int], *, but: str = "", to: int | None = None) -> list[str]:
    """Return the TCP sockets that the processes hold, but for those in one state."""
    held = set()
    for pid in processes:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            status = descriptor.stat() if descriptor.exists() else None
            if status is not None and stat.S_ISSOCK(status.st_mode):
                held.add(status.st_ino)
    rows = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    fields = [row.split() for row in rows.splitlines() if ":" in row]
    port = "" if to is None else f":{to:04X}"
    return [
        " ".join(row[1:4])
        for row in fields
        if row[9].isdigit() and int(row[9]) in held and row[3] != but and row[2].endswith(port)
    ]
