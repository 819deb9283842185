"""Memory snapshots from the worker's side, with a ComfyUI of a few lines."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from comfy_runner import snapshot
from comfy_runner.bucket import LocalBucket
from comfy_runner.client import ComfyClient
from comfy_runner.errors import ComfyNotInstalled, ComfyUnavailable
from comfy_runner.installation import Installation
from comfy_runner.worker import ComfyWorker
from tests.comfy_runner.runs import POLICY
from tests.waiting import eventually

COMFYUI = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

hidden = os.environ.get("MEMORY_SNAPSHOT_HIDE_CUDA") == "1"
refusals, kind = {refusals!r}, {kind!r}
asked = []
if hidden and {fails!r}:
    sys.exit("a custom node wants its GPU")

class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        asked.append(self.path)
        system = {{"argv": sys.argv, "asked": asked, "hidden": hidden}}
        self.answer(200, {{"system": system, "devices": [{{"type": kind}}]}})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        asked.append(self.path)
        if asked.count(self.path) <= refusals:
            return self.answer(503, {{"error": "no GPU is attached"}})
        self.answer(200, {{"status": "awake", "name": "L40S", "warnings": ["mind the pack"]}})

    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""

MakeWorker = Callable[..., ComfyWorker]


@pytest.fixture
def make_worker(tmp_path: Path, bucket: LocalBucket) -> Iterator[MakeWorker]:
    """Make a worker whose ComfyUI refuses its GPU so often, and then computes on `kind`."""
    made: list[ComfyWorker] = []

    def make(
        *, refusals: int = 0, kind: str = "cuda", fails: bool = False, gpu: bool = True
    ) -> ComfyWorker:
        program = COMFYUI.format(refusals=refusals, kind=kind, fails=fails)
        (tmp_path / "main.py").write_text(program)
        comfyui = Installation(tmp_path, Path(sys.executable), None, tmp_path / "web")
        device: Literal["cpu", "gpu"] = "gpu" if gpu else "cpu"
        home = tmp_path / "worker"
        made.append(ComfyWorker(comfyui, home, bucket, POLICY, device=device, snapshot=True))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


def heard_by(worker: ComfyWorker) -> dict[str, object]:
    with ComfyClient(worker.server.url) as client:
        told: dict[str, object] = client.system_stats()["system"]
    return told


def test_comfyui_boots_without_its_gpu_and_takes_it_when_woken(make_worker: MakeWorker) -> None:
    worker = make_worker(gpu=False)
    worker.boot()
    first, told = worker.server.pid, heard_by(worker)
    assert told["hidden"]
    assert "--cpu" not in str(told["argv"])
    assert "/object_info" in str(told["asked"])
    assert "/cuda/set_device" not in str(told["asked"])
    worker.wake()
    assert (worker.server.pid, worker.fell_back) == (first, None)
    assert "/cuda/set_device" in str(heard_by(worker)["asked"])


def test_a_gpu_that_appears_late_is_waited_for(make_worker: MakeWorker) -> None:
    worker = make_worker(refusals=2)
    worker.boot()
    first = worker.server.pid
    worker.wake()
    assert (worker.server.pid, worker.fell_back) == (first, None)


def test_a_comfyui_that_does_not_take_its_gpu_is_started_as_usual(
    make_worker: MakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    worker = make_worker(refusals=1000, gpu=False)
    worker.boot()
    first = worker.server.pid
    worker.wake()
    assert worker.server.pid != first
    assert worker.fell_back == "ComfyUI has no GPU: no GPU is attached"
    assert worker.fell_back in caplog.text
    told = heard_by(worker)
    assert not told["hidden"]
    assert "--cpu" in str(told["argv"])


def test_a_comfyui_that_still_computes_on_the_cpu_is_started_as_usual(
    make_worker: MakeWorker,
) -> None:
    worker = make_worker(kind="cpu", gpu=False)
    worker.boot()
    worker.wake()
    assert "computes on cpu" in str(worker.fell_back)
    assert not heard_by(worker)["hidden"]


def test_a_comfyui_that_died_in_the_snapshot_is_started_as_usual(make_worker: MakeWorker) -> None:
    worker = make_worker()
    worker.boot()
    assert worker.server.pid is not None
    os.kill(worker.server.pid, signal.SIGKILL)
    eventually(lambda: not worker.server.alive)
    worker.wake()
    assert "was killed by SIGKILL" in str(worker.fell_back)
    assert not heard_by(worker)["hidden"]


def test_a_comfyui_that_cannot_start_without_its_gpu_is_left_to_the_wake(
    make_worker: MakeWorker,
) -> None:
    worker = make_worker(fails=True)
    worker.boot()
    assert not worker.server.alive
    worker.wake()
    assert "did not start without a GPU" in str(worker.fell_back)
    assert not heard_by(worker)["hidden"]


def test_waking_twice_and_after_a_fall_back_changes_nothing(make_worker: MakeWorker) -> None:
    for refusals in (0, 1000):
        worker = make_worker(refusals=refusals, gpu=False)
        worker.boot()
        worker.wake()
        pid, fell_back = worker.server.pid, worker.fell_back
        worker.wake()
        assert (worker.server.pid, worker.fell_back) == (pid, fell_back)
        worker.close()


def test_what_the_helper_warns_of_stands_in_our_log(
    make_worker: MakeWorker, caplog: pytest.LogCaptureFixture
) -> None:
    worker = make_worker()
    worker.boot()
    worker.wake()
    assert "mind the pack" in caplog.text


def test_a_comfyui_that_is_gone_has_no_gpu_to_take() -> None:
    with pytest.raises(ComfyUnavailable, match="does not answer POST /cuda/set_device"):
        snapshot.give_gpu("http://127.0.0.1:9", seconds=0.0)


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ([], []),
        (["--fast"], ["--fast"]),
        (
            ["--disable-all-custom-nodes"],
            ["--disable-all-custom-nodes", "--whitelist-custom-nodes", "memory_snapshot_helper"],
        ),
        (
            ["--disable-all-custom-nodes", "--whitelist-custom-nodes", "a", "b"],
            [
                *("--disable-all-custom-nodes", "--whitelist-custom-nodes"),
                *("memory_snapshot_helper", "a", "b"),
            ],
        ),
    ],
)
def test_the_helper_is_loaded_whichever_custom_nodes_are(
    tmp_path: Path, given: list[str], passed: list[str]
) -> None:
    comfyui = Installation(tmp_path, Path(sys.executable), None, tmp_path / "web")
    assert snapshot.arguments(given, comfyui) == passed


def test_a_version_that_looks_for_a_gpu_to_manage_is_told_not_to(tmp_path: Path) -> None:
    (tmp_path / "comfy").mkdir()
    (tmp_path / "comfy" / "cli_args.py").write_text('add("--disable-dynamic-vram")')
    comfyui = Installation(tmp_path, Path(sys.executable), None, tmp_path / "web")
    assert snapshot.arguments([], comfyui) == ["--disable-dynamic-vram"]


def test_comfyui_finds_the_helper_and_nothing_else_of_ours(tmp_path: Path) -> None:
    for _ in range(2):
        folder = snapshot.lay_out(tmp_path)
    assert [each.name for each in folder.iterdir()] == ["memory_snapshot_helper"]
    assert (folder / "memory_snapshot_helper" / "prestartup_script.py").is_file()


def test_a_helper_that_was_not_shipped_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ComfyNotInstalled, match=r"missing.*ship it beside comfy_runner"):
        snapshot.lay_out(tmp_path, tmp_path / "missing")
