"""The GPU task: one workflow, from graph to outputs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from comfy_runner.outputs import Output
from comfy_runner.progress import Snapshot
from comfy_runner.work import Work
from comfy_runner.worker import ComfyWorker
from tasks.framework import current, task
from tasks.metering import metered
from tasks.webhook_events import Announcer, announcing
from tasks.webhook_target import WEBHOOK


@task(worker=ComfyWorker)
def run_workflow(comfy: ComfyWorker, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run a `Work` and return its outputs as JSON; they are also told while they come.

    Raises:
        ComfyError: with a code and, where one is to blame, the node.
    """
    work = Work.from_json(request)
    job_id = current.id or str(uuid.uuid4())
    with metered(comfy), announcing(job_id, current.headers.get(WEBHOOK)) as announcer:
        outputs = comfy.run(work, job_id=job_id, listener=_Reporter(announcer))
    return {"outputs": [output.to_json() for output in outputs]}


class _Reporter:
    """Tells the run's record, and who wants to hear of it, what a `Listener` hears."""

    def __init__(self, announcer: Announcer | None) -> None:
        self._announcer = announcer

    def progress(self, snapshot: Snapshot) -> None:
        current.progress(**snapshot.to_json())

    def outputs(self, outputs: tuple[Output, ...]) -> None:
        current.progress(outputs=[output.to_json() for output in outputs])
        if self._announcer:
            self._announcer.outputs(outputs)

    def log(self, line: str) -> None:
        current.log(line)
