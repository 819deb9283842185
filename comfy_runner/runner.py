"""One workflow on one ComfyUI, from graph to stored outputs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from comfy_runner.bucket import Bucket
from comfy_runner.client import ComfyClient
from comfy_runner.collector import Collector
from comfy_runner.errors import ComfyError, ComfyUnavailable, OutOfMemory, Stalled
from comfy_runner.graph import Graph, check, isolate
from comfy_runner.media import Media, Policy, refer
from comfy_runner.outputs import Output
from comfy_runner.prompt import Prompt
from comfy_runner.server import ComfyServer
from comfy_runner.uploads import Uploads
from comfy_runner.verdict import failure
from comfy_runner.watchdog import Patience
from comfy_runner.work import Listener, Work

SETTLE_SECONDS = 10.0
SETTLE_ANSWER_SECONDS = 2.0
SETTLE_PAUSE_SECONDS = 0.02
UNANSWERED_SECONDS = 1.0
FREE_SECONDS = 0.5


class Told(Protocol):
    """Whoever hears what happens, in words."""

    def log(self, line: str) -> None:
        """Hear of an event."""


class Runner:
    """Runs workflows on `server`, one at a time, and stores their outputs in `bucket`.

    `media` bounds their input files; `settle_seconds` how long an abandoned prompt may take to
    let go of ComfyUI before ComfyUI is killed; `patience` how long it may do nothing at all.
    """

    def __init__(
        self,
        server: ComfyServer,
        bucket: Bucket,
        media: Policy,
        *,
        settle_seconds: float = SETTLE_SECONDS,
        patience: Patience | None = None,
    ) -> None:
        self._server = server
        self._bucket = bucket
        self._media = media
        self._settle_seconds = settle_seconds
        self._patience = patience or Patience()
        self._unsettled: Prompt | None = None
        self._used: int | None = None

    def run(self, work: Work, *, job_id: str, listener: Listener) -> tuple[Output, ...]:
        """Run a workflow and return its outputs, stored.

        A cancel is any `BaseException`, at any line: the prompt is then taken from ComfyUI before
        the exception goes on. One that strikes even during that is made good by the next run.

        Raises:
            InvalidWorkflow: the graph cannot run.
            MediaRejected: an input file is not what a job may bring.
            MediaUnreachable: an input file could not be fetched.
            NodeFailed: a node raised.
            OutOfMemory: a node did, for want of memory, and freeing some did not help.
            Interrupted: somebody else stopped the prompt.
            NoOutputs: the graph saves something and nothing was found.
            StorageFailed: an output could not be stored.
            ComfyCrashed: ComfyUI died.
            Stalled: ComfyUI lives and does nothing any more.
            ComfyUnavailable: ComfyUI runs and does not answer.
        """
        try:
            check(work.graph)
            return self._run_with_memory(work, job_id, listener)
        except ComfyError as error:
            error.at(work.graph)
            raise

    def _run_with_memory(self, work: Work, job_id: str, listener: Listener) -> tuple[Output, ...]:
        """Run; when memory runs out that earlier prompts may hold, free that and run once more."""
        used_before = self._used == self._server.pid
        try:
            return self._run(work, job_id, listener)
        except OutOfMemory:
            if not used_before or not self._server.alive:
                raise
        listener.log("memory ran out; what earlier workflows left is freed, and it runs once more")
        with ComfyClient(self._server.url) as client:
            client.free()
        time.sleep(FREE_SECONDS)  # ComfyUI frees when its queue wakes, and tells nobody
        return self._run(work, job_id, listener)

    def _run(self, work: Work, job_id: str, listener: Listener) -> tuple[Output, ...]:
        """Run a prompt; once more when the connection broke that its pictures are sent over."""
        outputs = self._attempt(work, job_id, listener)
        if outputs is None:
            listener.log("the connection that pictures are sent over broke; it runs once more")
            outputs = self._attempt(work, job_id, listener)
        if outputs is None:
            raise ComfyUnavailable("the connection that pictures are sent over broke twice")
        return outputs

    def _attempt(self, work: Work, job_id: str, listener: Listener) -> tuple[Output, ...] | None:
        """Run one prompt to its end; None if pictures that nodes sent may have been lost.

        Its folders are named for the prompt and removed afterwards. Were they named for the job,
        a second run of the job would meet its own save nodes in ComfyUI's cache, and their files
        gone.
        """
        self._settle(listener)
        prompt_id = str(uuid4())
        with self._folders(prompt_id) as (inputs, outputs), self._uploads(job_id) as uploads:
            files = self._place(work.media, inputs)
            named = {name: f"{prompt_id}/{file}" for name, file in files.items()}
            graph = isolate(refer(work.graph, named), prompt_id)
            collector = Collector(
                uploads, listener, outputs, graph=graph, temp_outputs=work.temp_outputs
            )
            prompt, item = self._follow(graph, prompt_id, collector)
            if prompt.broke and collector.sends_pictures:
                return None
            return collector.finish(item)

    def _place(self, media: Sequence[Media], directory: Path) -> dict[str, str]:
        """Lay the input files into a directory; return the name each has there."""
        if not media:
            return {}
        from comfy_runner.media import place

        return place(media, directory, bucket=self._bucket, policy=self._media)

    def _follow(
        self, graph: Graph, prompt_id: str, collector: Collector
    ) -> tuple[Prompt, dict[str, Any]]:
        """Submit the prompt and return it with its history once it ended well."""
        try:
            with ComfyClient(self._server.url) as client:
                prompt = Prompt(
                    self._server,
                    client,
                    graph,
                    prompt_id=prompt_id,
                    audience=collector,
                    patience=self._patience,
                )
                self._unsettled = prompt
                item = prompt.run()
            self._unsettled = None
            self._used = self._server.pid
            error = failure(item)
            if error is not None:
                raise error
            return prompt, item
        except Stalled:
            self._server.kill()
            raise
        except BaseException:
            self._settle(collector)
            raise

    @contextmanager
    def _folders(self, name: str) -> Iterator[tuple[Path, Path]]:
        """Give a prompt folders of its own under ComfyUI's; nothing is left of them."""
        inputs, outputs = (
            directory / name
            for directory in (self._server.input_directory, self._server.output_directory)
        )
        try:
            yield inputs, outputs
        finally:
            for directory in (inputs, outputs):
                shutil.rmtree(directory, ignore_errors=True)

    @contextmanager
    def _uploads(self, job_id: str) -> Iterator[Uploads]:
        """Store files of a job during the block; one that fails begins no more of them."""
        places = {"output": self._server.output_directory, "temp": self._server.temp_directory}
        uploads = Uploads(self._bucket, job_id, places)
        try:
            yield uploads
        finally:
            uploads.abandon()

    def _settle(self, told: Told) -> None:
        """Take the prompt that was left behind, if any, out of ComfyUI; else start ComfyUI anew.

        All calls are repeated because each misses a prompt that moves from waiting to running,
        and all miss one whose submission was broken off and is still being looked at. A ComfyUI
        that does not let go has a node that cannot be interrupted: it is ended, and the next one
        starts at once, so that it is ready when the next work comes.
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
                    told.log("ComfyUI did not let go of the workflow and is started anew")
                    self._server.kill()
                    self._server.start()
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
