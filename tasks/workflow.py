"""The GPU task: one workflow, from graph to outputs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from comfy_runner.progress import Snapshot
from comfy_runner.worker import ComfyWorker
from tasks.framework import current, task


@task(worker=ComfyWorker)
def run_workflow(comfy: ComfyWorker, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run ``request["graph"]``, an API-format graph, and return its outputs as JSON.

    Raises:
        ComfyError: with a code and, where one is to blame, the node.
    """
    outputs = comfy.run(
        request["graph"],
        job_id=current.id or str(uuid.uuid4()),
        on_progress=_report,
        on_log=current.log,
    )
    return {"outputs": [output.to_json() for output in outputs]}


def _report(snapshot: Snapshot) -> None:
    current.progress(**snapshot.to_json())
