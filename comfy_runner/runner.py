"""One workflow on one ComfyUI, from graph to stored outputs."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from comfy_runner.bucket import Bucket
from comfy_runner.client import ComfyClient
from comfy_runner.errors import ComfyUnavailable, NoOutputs
from comfy_runner.graph import Graph, check, isolate
from comfy_runner.outputs import (
    Output,
    Reference,
    TextReference,
    describe,
    find,
    key_for,
    resolve,
)
from comfy_runner.progress import Snapshot
from comfy_runner.prompt import Prompt
from comfy_runner.server import ComfyServer
from comfy_runner.verdict import failure

SETTLE_SECONDS = 10.0
SETTLE_ANSWER_SECONDS = 2.0
SETTLE_PAUSE_SECONDS = 0.02
UNANSWERED_SECONDS = 1.0


class Runner:
    """Runs workflows on `server`, one at a time, and stores their outputs in `bucket`.

    `settle_seconds` bounds how long an abandoned prompt may take to let go of ComfyUI before
    ComfyUI is killed.
    """

    def __init__(
        self, server: ComfyServer, bucket: Bucket, *, settle_seconds: float = SETTLE_SECONDS
    ) -> None:
        self._server = server
        self._bucket = bucket
        self._settle_seconds = settle_seconds
        self._unsettled: Prompt | None = None

    def run(
        self,
        graph: Graph,
        *,
        job_id: str,
        on_progress: Callable[[Snapshot], None],
        on_log: Callable[[str], None],
    ) -> tuple[Output, ...]:
        """Run `graph` and return its outputs, stored.

        A cancel is any `BaseException`, at any line: the prompt is then taken from ComfyUI before
        the exception goes on. One that strikes even during that is made good by the next run.

        Raises:
            InvalidWorkflow: the graph cannot run.
            NodeFailed: a node raised.
            Interrupted: somebody else stopped the prompt.
            NoOutputs: the graph saves something and nothing was found.
            StorageFailed: an output could not be stored.
            ComfyCrashed: ComfyUI died.
            ComfyUnavailable: ComfyUI runs and does not answer.
        """
        check(graph)
        prompt_id = str(uuid4())
        isolated = isolate(graph, prompt_id)  # by prompt: a job may run twice, see `_outputs`
        try:
            self._settle(on_log)
            with ComfyClient(self._server.url) as client:
                prompt = Prompt(self._server, client, isolated, prompt_id=prompt_id)
                self._unsettled = prompt
                item = prompt.run(on_progress=on_progress, on_log=on_log)
            self._unsettled = None
            return self._outputs(prompt, item, job_id=job_id, on_log=on_log)
        except BaseException:
            self._settle(on_log)
            raise
        finally:
            shutil.rmtree(self._server.output_directory / prompt_id, ignore_errors=True)

    def _settle(self, on_log: Callable[[str], None]) -> None:
        """Take the prompt that was left behind, if any, out of ComfyUI; else end ComfyUI.

        All calls are repeated because each misses a prompt that moves from waiting to running,
        and all miss one whose submission was broken off and is still being looked at.
        """
        prompt = self._unsettled
        if prompt is None or not self._server.alive:
            self._unsettled = None
            return
        start = time.monotonic()
        sure = start if prompt.answered else start + UNANSWERED_SECONDS
        with ComfyClient(self._server.url, timeout=SETTLE_ANSWER_SECONDS) as client:
            while self._server.alive:
                if self._let_go(client, prompt.prompt_id) and time.monotonic() >= sure:
                    break
                if time.monotonic() >= start + self._settle_seconds:
                    self._server.kill()
                    on_log("ComfyUI did not let go of the workflow and was ended")
                    break
                time.sleep(SETTLE_PAUSE_SECONDS)
        self._unsettled = None

    @staticmethod
    def _let_go(client: ComfyClient, prompt_id: str) -> bool:
        """Ask ComfyUI to drop the prompt; return whether it has."""
        try:
            client.delete_queued(prompt_id)
            client.interrupt(prompt_id)
            return prompt_id not in client.queue()
        except ComfyUnavailable:  # it may be dying, or too busy to answer: asked again
            return False

    def _outputs(
        self,
        prompt: Prompt,
        item: Mapping[str, Any],
        *,
        job_id: str,
        on_log: Callable[[str], None],
    ) -> tuple[Output, ...]:
        """Return the outputs of the prompt that ended with this history item, or raise its error.

        The prompt's folder is removed afterwards. Were it named for the job, a second run of the
        job would meet its own save nodes in ComfyUI's cache, and their files gone.
        """
        error = failure(item)
        if error is not None:
            raise error
        outputs = tuple(self._store(job_id, _references(prompt, item), on_log))
        if not outputs and _saves_something(prompt.graph):
            raise NoOutputs("the workflow ended well, yet nothing that it saves was found")
        return outputs

    def _store(
        self, job_id: str, found: Iterable[Reference], on_log: Callable[[str], None]
    ) -> Iterator[Output]:
        """Put every file into the bucket, in order, and yield each output once it is there."""
        places = {"output": self._server.output_directory, "temp": self._server.temp_directory}
        count: Counter[str] = Counter()
        for reference in found:
            if isinstance(reference, TextReference):
                yield reference.to_output()
                continue
            index = count[reference.node_id]
            count[reference.node_id] += 1
            path = resolve(reference, places)
            kind, content_type = describe(path)
            key = key_for(job_id, reference.node_id, index, reference.filename)
            self._bucket.put(key, path, content_type=content_type, filename=reference.filename)
            size = path.stat().st_size
            on_log(f"stored {reference.filename} ({content_type}, {size} bytes)")
            yield Output(reference.node_id, kind, reference.filename, key, size, content_type)


def _references(prompt: Prompt, item: Mapping[str, Any]) -> Iterator[Reference]:
    """Yield what the prompt left behind, under the node of the graph that each came from.

    The history is complete, except that 0.3.75 forgets cached nodes; events tell of those.
    """
    meta = item.get("meta") or {}
    for reference in find({**prompt.executed, **(item.get("outputs") or {})}):
        shown_as = (meta.get(reference.node_id) or {}).get("display_node")
        yield replace(reference, node_id=shown_as) if shown_as else reference


def _saves_something(graph: Graph) -> bool:
    """Whether a node of the graph is one that saves: by custom these take a `filename_prefix`."""
    return any("filename_prefix" in node["inputs"] for node in graph.values())
