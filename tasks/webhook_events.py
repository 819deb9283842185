"""Telling of a job while it runs: that it has begun, and each output as it is stored."""

from __future__ import annotations

import hashlib
import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from comfy_runner.outputs import Output
from tasks.document import timestamp
from tasks.framework import runtime
from tasks.framework.reading import read
from tasks.webhook import deliver_webhook
from tasks.webhook_target import OUTPUT, STARTED, Webhook

MOST_OUTPUTS = 100
"""Of how many outputs of one job is told; the final event tells of all."""

LOOKS, PAUSE_SECONDS = 60, 0.05
"""How often, and how far apart, is looked whether the job's record tells of an output."""

log = logging.getLogger(__name__)


def mark_of(output: Output) -> str:
    """Return what tells an output from the others of its job, in whichever attempt it came."""
    text = json.dumps(output.to_json(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_of(job_id: str, event: str, mark: str | None = None) -> str:
    """Return the id of the run that delivers an event: one per event, however often it is sent."""
    if event == STARTED:
        return f"{job_id}.started"
    return f"{job_id}.output.{mark}" if event == OUTPUT else f"{job_id}.link"


class Announcer:
    """Sends events from a thread of its own: the job neither waits for that nor fails by it."""

    def __init__(self, job_id: str, webhook: Webhook) -> None:
        self._job_id = job_id
        self._webhook = webhook
        self._told: set[str] = set()
        self._errands: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="announcer", daemon=True).start()

    def started(self) -> None:
        """Tell that the job has begun."""
        if STARTED in self._webhook.events:
            self._errands.put(partial(self._send, STARTED))

    def outputs(self, outputs: Sequence[Output]) -> None:
        """Tell of those outputs that are new."""
        if OUTPUT not in self._webhook.events:
            return
        for mark in map(mark_of, outputs):
            if mark not in self._told and len(self._told) < MOST_OUTPUTS:
                self._told.add(mark)
                happened = timestamp(datetime.fromtimestamp(runtime().protocol.clock(), UTC))
                self._errands.put(partial(self._send_output, mark, happened))

    def close(self) -> None:
        """Let the thread end once it has sent what it was given."""
        self._errands.put(None)

    def _run(self) -> None:
        while (errand := self._errands.get()) is not None:
            try:
                errand()
            except Exception:  # whatever it is, the job goes on, and its final event is safe
                log.exception("job %s: an event could not be sent", self._job_id)

    def _send_output(self, mark: str, happened: str | None) -> None:
        for _ in range(LOOKS):
            if self._is_recorded(mark):
                break
            time.sleep(PAUSE_SECONDS)
        self._send(OUTPUT, mark, happened=happened)

    def _is_recorded(self, mark: str) -> bool:
        """See whether who reads the job now reads of the output, which is written by and by."""
        reading = read(runtime().protocol, self._job_id)
        if reading is None or reading.state.final:
            return True
        return mark in {
            mark_of(Output.from_json(each)) for each in reading.meta.get("outputs", ())
        }

    def _send(self, event: str, mark: str | None = None, **headers: Any) -> None:
        deliver_webhook.apply_async(
            (self._job_id, self._webhook.to_json(), event, mark),
            task_id=run_of(self._job_id, event, mark),
            headers=headers,
        )


@contextmanager
def announcing(job_id: str, webhook: Mapping[str, Any] | None) -> Iterator[Announcer | None]:
    """Give an announcer for the block, if the job has a webhook that wants to hear of its run."""
    target = Webhook.from_json(webhook) if webhook else None
    if target is None or not {STARTED, OUTPUT} & {*target.events}:
        yield None
        return
    announcer = Announcer(job_id, target)
    try:
        announcer.started()
        yield announcer
    finally:
        announcer.close()
