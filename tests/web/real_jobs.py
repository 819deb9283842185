"""The API over the real jobs in SQLite, whose runs a test carries through by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from settings import Settings
from tasks import embedded
from tasks.framework import Protocol, State, configure, runtime
from tasks.framework.records import Claim, Ending
from web import create_app

GRAPH = {"1": {"class_type": "X", "inputs": {"seed": 1}, "_meta": {"title": "The one"}}}
OUTPUT = {
    "node_id": "1",
    "kind": "image",
    "filename": "a.png",
    "key": "",
    "size_bytes": 7,
    "content_type": "image/png",
}


def no_wait() -> None:
    raise AssertionError("another attempt is running")


@dataclass(frozen=True)
class RealApi:
    """An application and its client; no worker takes up the jobs."""

    app: Flask
    client: FlaskClient

    @property
    def protocol(self) -> Protocol:
        return runtime().protocol

    def submit(self, **body: Any) -> str:
        answer = self.client.post("/v1/jobs", json={"workflow": GRAPH} | body)
        assert answer.status_code == 202, answer.text
        return str(answer.get_json()["job_id"])

    def start(self, job_id: str, **meta: Any) -> Claim:
        claimed = self.protocol.claim(job_id, worker="w", wait=no_wait)
        assert claimed
        return self.report(claimed, **meta)

    def report(self, claimed: Claim, *lines: str, **meta: Any) -> Claim:
        logs = [*claimed.run.logs, *lines]
        run = replace(claimed.run, meta={**claimed.run.meta, **meta}, logs=logs)
        self.protocol.beat(claimed.job.id, run)
        return replace(claimed, run=run)

    def end(self, claimed: Claim, state: State = State.SUCCEEDED, *outputs: Any) -> None:
        result = {"outputs": list(outputs)} if state is State.SUCCEEDED else None
        self.protocol.end(claimed.job.id, Ending.of(state, claimed.run, result=result))

    def finished(self, **body: Any) -> str:
        job_id = self.submit(**body)
        self.end(self.start(job_id))
        return job_id


@contextmanager
def real_api(settings: Settings) -> Iterator[RealApi]:
    """Wire this process to SQLite during the block."""
    embedded.configure(settings)
    try:
        app = create_app(settings)
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {settings.api_key}"
        yield RealApi(app, client)
    finally:
        configure(None)
