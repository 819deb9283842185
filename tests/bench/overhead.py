"""What the service adds to one small job, against ComfyUI driven bare."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.integration.processes import command_of
from tests.integration.service import colour
from tests.integration.stack import Stack

ROUNDS = 40


@dataclass(frozen=True)
class Overhead:
    """Median milliseconds of one small job."""

    service: float
    bare: float


def measure(place: Path) -> Overhead:
    """Run the same graph in turn through the service and straight on its ComfyUI."""
    service: list[float] = []
    bare: list[float] = []
    with Stack(place / "data") as stack, _session(stack) as session:
        stack.completed(stack.submit(colour(0)))
        port = _port(stack)
        for number in range(1, ROUNDS + 1):
            service.append(_through_service(session, stack.url, number))
            bare.append(_bare(session, f"http://127.0.0.1:{port}", number))
    return Overhead(statistics.median(service), statistics.median(bare))


@contextmanager
def _session(stack: Stack) -> Iterator[requests.Session]:
    del stack
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer the-key"
        yield session


def _through_service(session: requests.Session, url: str, number: int) -> float:
    began = time.perf_counter()
    answer = session.post(f"{url}/v1/jobs", json={"workflow": colour(number)}, timeout=10)
    job_id = answer.json()["job_id"]
    while True:
        job = session.get(f"{url}/v1/jobs/{job_id}", timeout=10).json()
        if job["status"] == "completed":
            return (time.perf_counter() - began) * 1000
        if job["status"] == "failed":
            raise RuntimeError(job["error"]["message"])
        time.sleep(0.001)


def _bare(session: requests.Session, url: str, number: int) -> float:
    prompt_id = str(uuid.uuid4())
    graph = colour(0x800000 + number)
    graph["2"]["inputs"]["filename_prefix"] = prompt_id + "/p"
    body = {"prompt": graph, "prompt_id": prompt_id, "client_id": uuid.uuid4().hex}
    began = time.perf_counter()
    session.post(f"{url}/prompt", json=body, timeout=10).raise_for_status()
    while not session.get(f"{url}/history/{prompt_id}", timeout=10).json():
        time.sleep(0.001)
    return (time.perf_counter() - began) * 1000


def _port(stack: Stack) -> str:
    words = command_of(stack.comfyui()).split("\0")
    return words[words.index("--port") + 1]
