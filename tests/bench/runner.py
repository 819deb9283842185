"""What the runner adds to a prompt and takes off its uploads, against ComfyUI driven by hand."""

from __future__ import annotations

import json
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import requests
import websocket

import settings
from comfy_runner.bucket import Bucket, LocalBucket
from comfy_runner.bucket.s3 import S3Bucket
from comfy_runner.graph import isolate
from comfy_runner.installation import find
from comfy_runner.runner import Runner
from comfy_runner.server import ComfyServer
from comfy_runner.work import Work
from tests.comfy_runner.conftest import NODES
from tests.comfy_runner.runs import POLICY, CancelledByTest, Heard, image, node
from tests.fault_proxy import FaultProxy, drip
from tests.s3_server import S3Server, through

ROUNDS = 30
SLOW_ROUNDS = 3
CANCELS = 10
NODE_SECONDS = 0.4
SAVES = 6
SIDE = 256
BYTES_PER_SECOND = 400_000

Comparison = tuple[str, float, str, float]
"""What was measured, our milliseconds, the name of the alternative, its milliseconds."""


def measure(place: Path) -> Iterator[Comparison]:
    """Yield every comparison, each contender in turn on the same ComfyUI."""
    with comfyui_in(place) as server:
        ours, bare = _overhead(server)
        yield "one small prompt, its file not stored", ours, "ComfyUI driven bare", bare
        ours, in_line = _overlap(server, place)
        yield f"{SAVES} saves of 0.2 MB to a slow bucket", ours, "stored in line", in_line
        ours, by_hand = _cancel(server, place)
        yield "cancel of a stepping node, p50", ours, "interrupt by hand", by_hand


@contextmanager
def comfyui_in(place: Path) -> Iterator[ComfyServer]:
    """Run a ComfyUI with the nodes of the tests, whose files lie in `place`, during the block."""
    configured = settings.load(None)
    installation = find(
        comfyui_dir=configured.comfyui_dir, comfyui_python=configured.comfyui_python
    )
    nodes = place / "nodes.yaml"
    nodes.write_text(json.dumps({"test": {"custom_nodes": str(NODES)}}))
    arguments = ("--extra-model-paths-config", str(nodes))
    server = ComfyServer(installation, place / "comfyui", arguments=arguments)
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.kill()


class _Nowhere(LocalBucket):
    """A bucket that takes a file at once: what storing costs is not our overhead."""

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        pass


def _overhead(server: ComfyServer) -> tuple[float, float]:
    """Run the same small graph in turn through the runner and straight on its ComfyUI."""
    runner = Runner(server, _Nowhere(Path(), b"k" * 32), POLICY)
    pairs = []
    for number in range(ROUNDS + 1):
        ours = _timed(partial(_ours, runner, _small(number)))
        pairs.append((ours, _timed(partial(_bare, server, _small(-number)))))
    return _medians(pairs[1:])


def _overlap(server: ComfyServer, place: Path) -> tuple[float, float]:
    """Run a graph whose nodes save one after another; store as they come, or all at the end."""
    pairs = []
    with S3Server(place / "s3") as s3:
        address = s3.new_bucket()
        with FaultProxy(s3.port) as line:
            bucket = S3Bucket(through(line.port, address))
            runner = Runner(server, bucket, POLICY)
            line.always(drip(BYTES_PER_SECOND))
            for _ in range(SLOW_ROUNDS):
                ours = _timed(partial(_ours, runner, _saving()))
                pairs.append((ours, _timed(partial(_in_line, server, bucket))))
    return _medians(pairs)


def _cancel(server: ComfyServer, place: Path) -> tuple[float, float]:
    """Measure from the decision to cancel until ComfyUI has nothing to do."""
    runner = Runner(server, LocalBucket(place / "files", b"k" * 32), POLICY)
    return _medians([(_our_cancel(runner, server), _hand_cancel(server)) for _ in range(CANCELS)])


def _medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    ours, theirs = zip(*pairs, strict=True)
    return statistics.median(ours), statistics.median(theirs)


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _small(number: int) -> dict[str, Any]:
    blank = node("EmptyImage", width=16, height=16, batch_size=1, color=0x800000 + number)
    return {"1": blank, "2": image("1")}


def _saving() -> dict[str, Any]:
    """Return a chain of nodes that each work a while and then save a picture."""
    graph: dict[str, Any] = {}
    inputs = {"count": 1, "seconds": NODE_SECONDS, "side": SIDE}
    for number in range(1, SAVES + 1):
        after = {"after": [str(number - 1), 0]} if number > 1 else {}
        graph[str(number)] = node("ManyFilesNode", filename_prefix=f"p{number}", **inputs, **after)
    return graph


def _ours(runner: Runner, graph: dict[str, Any]) -> None:
    runner.run(Work(graph), job_id=str(uuid.uuid4()), listener=Heard())


def _bare(server: ComfyServer, graph: dict[str, Any]) -> dict[str, Any]:
    """Run a graph as ComfyUI's own example does: a socket, a prompt, the history at the end."""
    client_id, prompt_id = uuid.uuid4().hex, str(uuid.uuid4())
    body = {"prompt": isolate(graph, prompt_id), "prompt_id": prompt_id, "client_id": client_id}
    url = server.url.replace("http", "ws") + f"/ws?clientId={client_id}"
    socket = websocket.create_connection(url, timeout=60, suppress_origin=True)
    try:
        requests.post(f"{server.url}/prompt", json=body, timeout=10).raise_for_status()
        while not _is_end(socket.recv()):
            pass
    finally:
        socket.close()
    history = requests.get(f"{server.url}/history/{prompt_id}", timeout=10).json()
    outputs: dict[str, Any] = history[prompt_id]["outputs"]
    return outputs


def _is_end(frame: str | bytes) -> bool:
    if isinstance(frame, bytes):
        return False
    event = json.loads(frame)
    return event["type"] == "executing" and event["data"]["node"] is None


def _in_line(server: ComfyServer, bucket: Bucket) -> None:
    for result in _bare(server, _saving()).values():
        for saved in result["images"]:
            path = server.output_directory / saved["subfolder"] / saved["filename"]
            key = f"outputs/{uuid.uuid4()}/{saved['filename']}"
            bucket.put(key, path, content_type="image/png", filename=saved["filename"])


LONG = {"1": node("StepsNode", steps=10_000, seconds=0.02), "2": image("1")}


def _our_cancel(runner: Runner, server: ComfyServer) -> float:
    struck: list[float] = []

    def strike() -> None:
        struck.append(time.perf_counter())
        raise CancelledByTest

    try:
        runner.run(Work(LONG), job_id=str(uuid.uuid4()), listener=Heard(strike))
    except CancelledByTest:
        _wait_idle(server)
    return (time.perf_counter() - struck[0]) * 1000


def _hand_cancel(server: ComfyServer) -> float:
    prompt_id = str(uuid.uuid4())
    body = {"prompt": LONG, "prompt_id": prompt_id, "client_id": uuid.uuid4().hex}
    requests.post(f"{server.url}/prompt", json=body, timeout=10).raise_for_status()
    time.sleep(0.2)  # until it steps
    began = time.perf_counter()
    requests.post(f"{server.url}/interrupt", json={"prompt_id": prompt_id}, timeout=10)
    _wait_idle(server)
    return (time.perf_counter() - began) * 1000


def _wait_idle(server: ComfyServer) -> None:
    while any(requests.get(f"{server.url}/queue", timeout=10).json().values()):
        time.sleep(0.001)
