"""One workflow on one ComfyUI, from graph to stored outputs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from comfy_runner.bucket import Bucket
from comfy_runner.client import ComfyClient
from comfy_runner.collector import Collector
from comfy_runner.errors import (
    ComfyError,
    ComfyUnavailable,
    OutOfMemory,
    OutputGone,
    PicturesLost,
    Stalled,
    StorageFailed,
)
from comfy_runner.graph import Graph, check, isolate, links_a_prefix
from comfy_runner.leftovers import KEPT_SECONDS, sweep
from comfy_runner.media import Policy, refer
from comfy_runner.media.placing import place
from comfy_runner.outputs import Output
from comfy_runner.prompt import Prompt
from comfy_runner.server import ComfyServer
from comfy_runner.stopwatch import INPUTS, MODEL_LOAD, UPLOAD, Stopwatch
from comfy_runner.uploads import Uploads
from comfy_runner.verdict import failure
from comfy_runner.watchdog import Patience
from comfy_runner.work import Listener, Work

SETTLE_ANSWER_SECONDS = 2.0
SETTLE_PAUSE_SECONDS = 0.02
UNANSWERED_SECONDS = 1.0
FREE_SECONDS = 0.5
JOINER = "StringConcatenate"


class Told(Protocol):
    """Whoever hears what happens, in words."""

    def log(self, line: str) -> None:
        """Hear of an event."""


class Runner:
    """Runs workflows on `server`, one at a time, and stores their outputs in `bucket`.

    `media` bounds their input files, `patience` how long ComfyUI may do nothing before it is
    ended. `stopwatch` times the runs; whoever asks for one starts it anew.
    """

    def __init__(
        self,
        server: ComfyServer,
        bucket: Bucket,
        media: Policy,
        *,
        patience: Patience | None = None,
    ) -> None:
        self._server = server
        self._bucket = bucket
        self._media = media
        self._patience = patience or Patience()
        self.stopwatch = Stopwatch()
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
            return self._run(work, job_id, listener)
        except ComfyError as error:
            error.at(work.graph)
            raise

    def _run(self, work: Work, job_id: str, listener: Listener) -> tuple[Output, ...]:
        """Run a prompt; where once more can help, do so once."""
        used_before = self._used is not None and self._used == self._server.pid
        try:
            return self._attempt(work, job_id, listener)
        except OutOfMemory:
            if not used_before:  # all the memory there is was this prompt's
                raise
            listener.log("memory ran out; what earlier workflows left is freed for another try")
            self._free()
        except PicturesLost as error:
            listener.log(f"{error.message}; the workflow runs again")
        except StorageFailed as error:
            if not isinstance(error.__cause__, OutputGone):
                raise
            listener.log("a result kept from before names a file that is gone; it is made anew")
            self._free()
        return self._attempt(work, job_id, listener)

    def _attempt(self, work: Work, job_id: str, listener: Listener) -> tuple[Output, ...]:
        """Run one prompt to its end.

        Its folders are named for the prompt and removed afterwards. Were they named for the job,
        a second run of the job would meet its own save nodes in ComfyUI's cache, and their files
        gone.
        """
        self._settle(listener)
        prompt_id = str(uuid4())
        with self._folders(prompt_id) as (inputs, outputs), self._uploads(job_id) as uploads:
            collector = Collector(uploads, listener, outputs, work=work)
            with self.stopwatch.measure(INPUTS):
                files = place(work.media, inputs, bucket=self._bucket, policy=self._media)
            named = {name: f"{prompt_id}/{file}" for name, file in files.items()}
            with ComfyClient(self._server.url) as client:
                graph = _isolated(refer(work.graph, named), prompt_id, client)
                prompt = Prompt(
                    self._server,
                    client,
                    graph,
                    prompt_id=prompt_id,
                    workflow=work.graph,
                    audience=collector,
                    patience=self._patience,
                )
                try:
                    item = self._follow(prompt, listener)
                except StorageFailed:
                    collector.see_off()
                    raise
            with self.stopwatch.measure(UPLOAD):
                return collector.finish(item, broke=prompt.broke)

    def _follow(self, prompt: Prompt, told: Told) -> dict[str, Any]:
        """Submit the prompt and return its history once it has ended well."""
        self._unsettled = prompt
        try:
            item = prompt.run()
        except (ComfyUnavailable, Stalled):
            self._server.kill()  # it would not hear that the prompt is to be dropped
            self._unsettled = None
            raise
        except BaseException:
            self._settle(told)
            raise
        self._unsettled = None
        self._used = self._server.pid
        loaded = prompt.load_seconds()
        if loaded is not None:
            self.stopwatch.add(MODEL_LOAD, loaded)
        error = failure(item)
        if error is not None:
            raise error
        return item

    def _free(self) -> None:
        """Have ComfyUI drop models and results that it kept."""
        with ComfyClient(self._server.url) as client:
            client.free()
        time.sleep(FREE_SECONDS)  # ComfyUI frees when its queue wakes, and tells nobody

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
            for directory in (self._server.output_directory, self._server.temp_directory):
                sweep(directory, before=time.time() - KEPT_SECONDS)

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
                if time.monotonic() >= start + self._patience.settle:
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


def _isolated(graph: Graph, folder: str, client: ComfyClient) -> Graph:
    """Return the graph with a folder of its own for what it saves."""
    joins = links_a_prefix(graph) and client.has_node(JOINER)
    return isolate(graph, folder, joiner=JOINER if joins else None)
