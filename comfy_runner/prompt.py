"""One prompt on one ComfyUI, from its submission until its history is written."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Protocol
from uuid import uuid4

from comfy_runner.client import ComfyClient, EventStream, StreamClosed
from comfy_runner.errors import ComfyCrashed, ComfyUnavailable, Interrupted, InvalidWorkflow
from comfy_runner.events import (
    Cached,
    Event,
    Executed,
    Executing,
    Failed,
    Picture,
    Status,
    Succeeded,
)
from comfy_runner.graph import Graph
from comfy_runner.progress import Progress, Snapshot
from comfy_runner.server import ComfyServer
from comfy_runner.verdict import node_failed
from comfy_runner.watchdog import Patience, Watchdog

RECV_SECONDS = 0.2
LOOK_SECONDS = 2.0
EXIT_SECONDS = 1.0
SILENCE_SECONDS = 1.0
HEAR_OUT_SECONDS = 60.0
RECONNECT_PAUSE_SECONDS = 0.2
GOT = "got prompt"
"""What ComfyUI logs when it queues a prompt (server.py, post_prompt)."""


class Audience(Protocol):
    """Hears of one prompt; what a method raises ends the following of it."""

    def progress(self, snapshot: Snapshot) -> None:
        """Hear where the prompt stands."""

    def log(self, line: str) -> None:
        """Hear of an event in words, fit for the client."""

    def executed(self, event: Executed) -> None:
        """Hear what a node showed; its files are complete."""

    def picture(self, node_id: str, content: bytes) -> None:
        """Hear of a picture that a node of this id sent instead of saving it."""

    def turn(self) -> None:
        """Do what is due; called several times a second."""


class Prompt:
    """A prompt that is submitted once and followed to its end.

    ComfyUI addresses events to the client id a prompt was sent with and drops them while nobody
    listens, and it says nothing during a long node. So events are news only: that a prompt
    ended, and how, is read from its history, which is looked at every two seconds besides.

    `graph` is what ComfyUI gets, `workflow` the client's own, which all news is told of.
    Until `answered`, ComfyUI may queue the prompt at any moment, even after the call was broken
    off. `broke` tells whether the event stream did before its end, so that events may have been
    lost.
    """

    def __init__(
        self,
        server: ComfyServer,
        client: ComfyClient,
        graph: Graph,
        *,
        prompt_id: str,
        workflow: Graph,
        audience: Audience,
        patience: Patience,
    ) -> None:
        self.prompt_id = prompt_id
        self.answered = False
        self.broke = False
        self._graph = graph
        self._workflow = workflow
        self._server = server
        self._client = client
        self._client_id = uuid4().hex
        self._audience = audience
        self._stream: EventStream | None = None
        self._ended = False
        self._heard_at = 0.0
        self._progress = Progress(workflow)
        self._announced: set[str] = set()
        self._log_start = server.log_size
        self._running_node: str | None = None
        self._watchdog = Watchdog(server.pid or 0, patience)

    def run(self) -> dict[str, Any]:
        """Submit the prompt and return its history item once it has ended, well or not.

        Raises:
            InvalidWorkflow: ComfyUI refused the prompt or a part of it.
            ComfyCrashed: the process died.
            ComfyUnavailable: the process lives but does not take calls.
            Stalled: the process lives and will never end the prompt.
            Interrupted: somebody took the prompt out of ComfyUI's queue.
        """
        try:
            try:
                self._stream = self._connect()
                self._submit()
                return self._follow()
            finally:
                self._close()
        except ComfyUnavailable as error:
            self._raise_if_dead(error)
            raise

    def _connect(self) -> EventStream:
        """Connect, at the second try if need be: starting ComfyUI anew takes far longer."""
        try:
            return self._client.connect(self._client_id)
        except ComfyUnavailable as error:
            self._raise_if_dead(error)  # this waits a moment
        return self._client.connect(self._client_id)

    def _submit(self) -> None:
        try:
            self._client.submit(self._graph, client_id=self._client_id, prompt_id=self.prompt_id)
        except InvalidWorkflow:
            self.answered = True
            raise
        self.answered = True
        self._audience.log("ComfyUI accepted the prompt")

    def _follow(self) -> dict[str, Any]:
        """Read events until the prompt has ended; the caller's timeout is the only other end."""
        look_at = time.monotonic() + LOOK_SECONDS
        while True:
            news = self._hear()
            self._audience.turn()
            if not news and time.monotonic() < look_at:
                continue
            item = self._look()
            if item is not None:
                self._hear_out()
                return item
            if self._stream is None:
                self._connect_again()
            look_at = time.monotonic() + LOOK_SECONDS

    def _hear(self) -> bool:
        """Read one event, or wait a little; return whether to look at the history now."""
        if self._stream is None:
            time.sleep(RECV_SECONDS)
            return False
        try:
            event = self._stream.recv(RECV_SECONDS)
        except StreamClosed as error:
            self.broke = True
            self._close()
            self._raise_if_dead(error, within=RECONNECT_PAUSE_SECONDS)
            return True
        if event is None:
            return False
        self._watchdog.heard()
        self._heard_at = time.monotonic()
        return self._take(event)

    def _hear_out(self) -> None:
        """Take in what was said before the end, and is still on its way.

        The history may be looked at before the last events are: pictures that nodes sent are
        among them, and are nowhere else.
        """
        start = self._heard_at = time.monotonic()
        with contextlib.suppress(ComfyCrashed):  # what it left is complete, as the history says
            while not self._ended and self._stream is not None:
                self._hear()
                if time.monotonic() > min(
                    start + HEAR_OUT_SECONDS, self._heard_at + SILENCE_SECONDS
                ):
                    break
        self.broke = self.broke or not self._ended

    def _connect_again(self) -> None:
        """Try to hear on, under the same id, the only one that this prompt's events go to.

        The old stream was closed first and given a moment: when ComfyUI sees the end of an old
        socket after the start of a new one with the same id, it forgets the new one. Then no
        event arrives any more, and looking at the history has to do, as it does without any.
        """
        try:
            self._stream = self._client.connect(self._client_id)
        except ComfyUnavailable:
            return
        self._audience.log("ComfyUI's event stream broke and is connected again")

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _take(self, event: Event) -> bool:
        """Report what an event tells; return whether the prompt's history is written."""
        if isinstance(event, Status) or event.prompt_id not in {None, self.prompt_id}:
            return False
        self._report(event)
        match event:
            case Executing(prompt_id=self.prompt_id, node=None):
                self._ended = True
                return True
            case Executing(node=str(node), display_node=display_node):
                self._running_node = display_node or node
                self._announce(self._running_node)
            case Cached(nodes=nodes) if nodes:
                self._audience.log(
                    f"{len(nodes)} of {len(self._graph)} nodes are kept from before"
                )
            case Executed(output=dict()):
                self._audience.executed(event)
            case Picture(content=content) if self._running_node:
                self._audience.picture(self._running_node, content)
            case Failed(terminal=False):
                self._say_blocked(event)
        return False

    def _report(self, event: Event) -> None:
        snapshot = self._progress.feed(event)
        if snapshot is not None:
            self._audience.progress(snapshot)

    def _announce(self, node: str) -> None:
        if node in self._announced:
            return
        self._announced.add(node)
        entry = self._workflow.get(node)
        if isinstance(entry, dict):
            self._audience.log(f"node {node} ({entry.get('class_type')}) started")

    def _say_blocked(self, event: Failed) -> None:
        reason = node_failed(
            None, None, exception=event.exception_type, message=event.exception_message
        )
        self._audience.log(f"node {event.node_id} ({event.node_type}) was skipped: {reason}")

    def _look(self) -> dict[str, Any] | None:
        """Return the history item; None while ComfyUI still has the prompt, or is too busy."""
        try:
            item = self._client.history(self.prompt_id)
            if item is None and self.prompt_id not in self._client.queue():
                item = self._client.history(self.prompt_id)  # it may have ended in between
                if item is None:
                    raise Interrupted("somebody took the prompt out of ComfyUI's queue")
        except ComfyUnavailable as error:
            self._raise_if_dead(error)
            self._watchdog.unanswered()
            return None
        if item is None:
            self._watchdog.answered(worker_alive=self._worker_alive())
        if item is not None and (item.get("status") or {}).get("status_str") == "success":
            self._report(Succeeded(self.prompt_id))
        return item

    def load_seconds(self) -> float | None:
        """Ask how long ComfyUI has loaded models for this prompt; None if it cannot tell."""
        try:
            told = self._client.companion(f"loading/{self.prompt_id}")
        except ComfyUnavailable:
            return None
        seconds = (told or {}).get("seconds")
        return float(seconds) if isinstance(seconds, int | float) else None

    def _worker_alive(self) -> bool | None:
        """Whether the thread that runs prompts lives; None if our companion is not loaded."""
        try:
            state = self._client.companion("state")
        except ComfyUnavailable:
            return None
        alive = (state or {}).get("worker_alive")
        return alive if isinstance(alive, bool) else None

    def _raise_if_dead(self, cause: Exception, *, within: float = EXIT_SECONDS) -> None:
        if self._server.wait_exit(within):
            what = f"ComfyUI {self._server.ending} while it ran the workflow"
            raise ComfyCrashed(what, log=self._own_log()) from cause

    def _own_log(self) -> tuple[str, ...]:
        """Return what ComfyUI logged since it got this prompt; before, it was other people's."""
        lines = self._server.log_tail(since=self._log_start)
        begun = max((index + 1 for index, line in enumerate(lines) if GOT in line), default=0)
        return lines[begun:]
