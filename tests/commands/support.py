"""What the tests of the commands share: an API that follows a script, and how to run a command."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from flask import Flask, Response, jsonify, request

import manage
from commands.http_server import listen, serve_http, url_of
from commands.serve import Parts
from settings import Settings

PROJECT = Path(manage.__file__).resolve().parent


GRAPH = {"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}


RUNNING = {"status": "running", "progress": 40, "current_node": "3"}


SECOND_STEP = RUNNING | {"current_step": 2, "total_steps": 4}


PICTURE = {"node_id": "9", "kind": "image", "filename": "a.png", "url": "/files/a.png"}


CAPTION = {"node_id": "8", "kind": "text", "filename": "", "text": "a \x1b[31mfox"}


DONE = {"status": "completed", "progress": 100, "outputs": [PICTURE, CAPTION]}


BROKEN = {
    "code": "node_failed",
    "message": "no such seed",
    "node_id": "3",
    "node_type": "KSampler",
}


class FakeApi:
    """A job that goes through `script`, one state for each look at it, and stays at the last."""

    def __init__(self, *script: dict[str, Any]) -> None:
        self.script = list(script) or [DONE]
        self.submissions: list[dict[str, Any]] = []
        self.queries: list[str] = []
        self.purged: list[str] = []
        self.cancelled = threading.Event()
        self.looked = threading.Event()
        self.app = Flask("fake")
        self.app.add_url_rule("/v1/jobs", view_func=self._submit, methods=["POST"])
        self.app.add_url_rule("/v1/jobs", view_func=self._list)
        self.app.add_url_rule("/v1/jobs/<job_id>", view_func=self._get)
        self.app.add_url_rule("/v1/jobs/<job_id>", view_func=self._cancel, methods=["DELETE"])
        self.app.add_url_rule("/v1/jobs/<job_id>/logs", view_func=self._logs)
        self.app.add_url_rule("/v1/jobs/<job_id>/retry", view_func=self._retry, methods=["POST"])
        self.app.add_url_rule("/files/a.png", view_func=lambda: Response(b"PNG"))
        self.app.before_request(self._check_key)

    def _check_key(self) -> tuple[Response, int] | None:
        if request.path.startswith("/v1") and request.headers.get("Authorization") != "Bearer k":
            return jsonify(title="Unauthorized", detail="The key is wrong"), 401
        return None

    def _submit(self) -> tuple[Response, int]:
        self.submissions.append(request.get_json())
        return jsonify(job_id="a1", status="queued"), 202

    def _get(self, job_id: str) -> Response | tuple[Response, int]:
        if job_id != "a1":
            return jsonify(title="Not found", detail=f"There is no job {job_id!r}."), 404
        self.looked.set()
        if self.cancelled.is_set():
            return jsonify(job_id="a1", status="cancelled")
        state = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return jsonify(job_id="a1", **state)

    def _list(self) -> Response:
        self.queries.append(request.query_string.decode())
        state = {"job_id": "a1", "user_id": "[red]u1", "created_at": "2026-01-02T03:04:05Z"}
        return jsonify(jobs=[state | self.script[0]], next=None)

    def _logs(self, job_id: str) -> Response:
        return jsonify(job_id=job_id, logs=["[20:01:02] Job started", "\x1b[31mred"])

    def _retry(self, job_id: str) -> tuple[Response, int]:
        return jsonify(job_id=f"again-{job_id}", status="queued", retry_of=job_id), 202

    def _cancel(self, job_id: str) -> Response | tuple[Any, int]:
        if request.args.get("purge") == "true":
            if job_id != "a1":
                return jsonify(title="Not found", detail=f"There is no job {job_id!r}."), 404
            self.purged.append(job_id)
            return "", 204
        self.cancelled.set()
        return jsonify(job_id=job_id, **(self.script[0] | {"status": "cancelled"}))


@contextmanager
def serving(api: FakeApi) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listening, serve_http(api.app, listening):
        yield url_of("127.0.0.1", listening)


def run(*arguments: str, url: str | None = None, **environment: str) -> Result:
    """Run manage.py as from an empty directory, with an environment of its own."""
    runner = CliRunner()
    known = {"COMFYUI_API_KEY": "k"} | ({"COMFYUI_API_URL": url} if url else {}) | environment
    with tempfile.TemporaryDirectory() as empty, chdir(empty):
        Path("graph.json").write_text(json.dumps(GRAPH))
        return runner.invoke(manage.main, arguments, env=known)


class FakeCluster:
    """Stands for the worker processes."""

    def __init__(self) -> None:
        self.history: list[str] = []
        self.command: list[str] = []

    def __call__(self, _: Settings, command: Any) -> FakeCluster:
        self.command = command("comfy", "comfy-1")
        return self

    def __enter__(self) -> FakeCluster:
        self.history.append("started")
        return self

    def __exit__(self, *_: object) -> None:
        self.history.append("stopped")

    def ready(self, _: float) -> bool:
        return True


def parts(cluster: FakeCluster) -> Parts:
    return Parts(
        cluster=cluster,
        application=lambda _: FakeApi().app,
        configure=lambda _: None,
        find_comfyui=lambda **_: None,
    )
