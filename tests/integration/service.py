"""A running service as its clients meet it, whatever carries it: HTTP, and ``manage.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from tests.integration.processes import command_of
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
NODES = ROOT / "tests" / "comfy_runner" / "nodes"
KEY = "the-key"
FINAL = {"completed", "failed", "cancelled"}


class Service:
    """What can be asked of a service at ``url``; ``data`` is a directory of this machine."""

    report_seconds: float
    """How often, at most, a worker says how far it is."""

    def __init__(self, data: Path, environment: dict[str, str]) -> None:
        self.data = data
        self.url = ""
        self._environment = environment

    def manage(self, *arguments: str) -> list[str]:
        """Return the command line of a ``manage.py`` command."""
        return [sys.executable, str(ROOT / "manage.py"), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a client command of ``manage.py`` against this service."""
        return subprocess.run(
            self.manage(*arguments),
            cwd=ROOT,
            env={**self._environment, "COMFYUI_API_URL": self.url, "COMFYUI_API_KEY": KEY},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    # -- HTTP ------------------------------------------------------------------------------

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send one request with the key."""
        headers = {"Authorization": f"Bearer {KEY}"}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **arguments)

    def submit(self, graph: dict[str, Any], **fields: Any) -> str:
        """Submit a graph that is accepted; return the job's id."""
        answer = self.call("POST", "/v1/jobs", json={"workflow": graph, **fields})
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["job_id"]
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        """Read a job."""
        answer = self.call("GET", f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def ended(self, job_id: str, seconds: float = 120.0) -> dict[str, Any]:
        """Wait for a job's end."""

        def look() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in FINAL else None

        return eventually(look, seconds)

    def completed(self, job_id: str) -> dict[str, Any]:
        """Wait for a job's good end."""
        job = self.ended(job_id)
        assert job["status"] == "completed", job
        return job

    def at_step(self, job_id: str, step: int = 1) -> dict[str, Any]:
        """Wait until a job's current node has done so many steps."""

        def look() -> dict[str, Any] | None:
            job = self.job(job_id)
            assert job["status"] in {"queued", "running"}, job
            return job if (job["current_step"] or 0) >= step else None

        return eventually(look, 90)

    # -- what carries it -------------------------------------------------------------------

    @property
    def records(self) -> list[str]:
        """The options of ``manage.py`` that name this service's records."""
        raise NotImplementedError

    def inputs(self) -> list[Path]:
        """Return the input files that lie in the directories of workers."""
        raise NotImplementedError

    def comfyui(self) -> int:
        """Return the id of the first worker's ComfyUI, once it runs."""
        raise NotImplementedError

    def comfyui_queue(self) -> dict[str, list[Any]]:
        """Ask the worker's ComfyUI itself what it is doing."""
        command = command_of(self.comfyui()).split("\0")
        port = command[command.index("--port") + 1]
        queue: dict[str, list[Any]] = requests.get(
            f"http://127.0.0.1:{port}/queue", timeout=10
        ).json()
        return queue


# -- graphs --------------------------------------------------------------------------------


def picture_of(source: dict[str, Any]) -> dict[str, Any]:
    """Return a graph that saves what one node draws."""
    save = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "p"}}
    return {"1": source, "2": save}


def colour(number: int, size: int = 32) -> dict[str, Any]:
    """Return a graph that saves a picture of one colour."""
    inputs = {"width": size, "height": size, "batch_size": 1, "color": number}
    return picture_of({"class_type": "EmptyImage", "inputs": inputs})


def steps(count: int, seconds: float = 0.1) -> dict[str, Any]:
    """Return a graph that takes that many steps of so many seconds."""
    return picture_of({"class_type": "StepNode", "inputs": {"steps": count, "seconds": seconds}})
