"""What the real ComfyUI says of graphs, none of which it gets round to running."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from tests.comfy_runner.runs import node
from tests.waiting import eventually

BATCH = 25

Told = frozenset[tuple[str, str | None]]
"""Kinds of errors with the inputs they are about."""


@dataclass(frozen=True)
class Answer:
    """One answer to `/prompt`: its status, and where the errors are.

    `dropped` says that it queued the graph without one of its outputs.
    """

    status: int
    error: str | None
    details: str
    nodes: dict[str, Told]
    stack_overflows: frozenset[str]
    dropped: bool = False

    @property
    def accepted(self) -> bool:
        """Whether all of the graph would run."""
        return self.status == 200 and not self.nodes and not self.dropped


class Asker:
    """Puts graphs to a ComfyUI that is kept busy meanwhile."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, graphs: Sequence[Any]) -> Iterator[Answer]:
        """Yield the answer to each graph; what it accepted is taken back."""
        with self._kept_busy():
            for first in range(0, len(graphs), BATCH):
                yield from self._ask_some(graphs[first : first + BATCH])
                self._send("POST", "/queue", {"clear": True})

    def times(self, graph: Any, rounds: int) -> list[float]:
        """Return how many milliseconds each answer to the same graph takes."""
        taken = []
        with self._kept_busy():
            for _ in range(rounds):
                began = time.perf_counter()
                self._send("POST", "/prompt", {"prompt": graph}).raise_for_status()
                taken.append((time.perf_counter() - began) * 1000)
                self._send("POST", "/queue", {"clear": True})
        return taken

    def close(self) -> None:
        self._session.close()

    def _ask_some(self, graphs: Sequence[Any]) -> list[Answer]:
        sent = [(str(uuid.uuid4()), graph) for graph in graphs]
        answers = [
            self._send("POST", "/prompt", {"prompt": graph, "prompt_id": prompt_id})
            for prompt_id, graph in sent
        ]
        queue = self._send("GET", "/queue").json()
        if [entry[1] for entry in queue["queue_running"]] != [self._running]:
            raise AssertionError("ComfyUI went on to run what it was only asked about")
        kept = {entry[1]: (entry[4], entry[2]) for entry in queue["queue_pending"]}
        return [
            _read(answer, kept.get(prompt_id), self._outputs)
            for (prompt_id, _), answer in zip(sent, answers, strict=True)
        ]

    @contextmanager
    def _kept_busy(self) -> Iterator[None]:
        graph = {
            "1": node("StepNode", steps=10_000, seconds=0.05),
            "2": node("PreviewImage", images=["1", 0]),
        }
        info = self._send("GET", "/object_info").json()
        self._outputs = {name for name, each in info.items() if each["output_node"]}
        self._running = self._send("POST", "/prompt", {"prompt": graph}).json()["prompt_id"]
        eventually(lambda: self._send("GET", "/queue").json()["queue_running"])
        try:
            yield
        finally:
            self._send("POST", "/queue", {"clear": True})
            self._send("POST", "/interrupt", {})
            eventually(lambda: not self._send("GET", "/queue").json()["queue_running"])

    def _send(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self._session.request(method, self._url + path, json=body, timeout=30)


def _read(response: requests.Response, kept: Any, outputs: set[str]) -> Answer:
    if response.status_code == 500:
        return Answer(500, None, "", {}, frozenset())
    told = response.json()
    error = told.get("error") or {}
    queued, graph = kept or ([], {})
    wanted = {key for key, each in graph.items() if each["class_type"] in outputs}
    errors = {key: each["errors"] for key, each in (told["node_errors"] or {}).items()}
    return Answer(
        status=response.status_code,
        error=error.get("type"),
        details=error.get("details", ""),
        nodes={key: _kinds(each) for key, each in errors.items()},
        stack_overflows=frozenset(key for key, each in errors.items() if _overflown(each)),
        dropped=wanted != set(queued),
    )


def _kinds(errors: list[dict[str, Any]]) -> Told:
    return frozenset((each["type"], each["extra_info"].get("input_name")) for each in errors)


def _overflown(errors: list[dict[str, Any]]) -> bool:
    return any("recursion" in each["details"] for each in errors)
