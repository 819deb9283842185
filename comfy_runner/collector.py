"""What one prompt leaves behind, collected while it runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from comfy_runner.errors import NoOutputs, PicturesLost, StorageFailed
from comfy_runner.events import Executed
from comfy_runner.outputs import FileReference, Output, Reference, find
from comfy_runner.progress import Snapshot
from comfy_runner.uploads import Uploads
from comfy_runner.work import Listener, Work

SENDS_PICTURES = "SaveImageWebsocket"
"""ComfyUI's node that sends its pictures to the client and saves nothing."""

TURN_SECONDS = 0.2
_PNG = b"\x89PNG"


class Collector:
    """Stores every output as soon as its node has ended, and tells the listener.

    What a node saved is stored at once; what it only showed (type "temp") when the prompt has
    ended and nothing was saved, unless `temp_outputs` are wanted anyway. `folder` is the
    prompt's own under ComfyUI's output directory.
    """

    def __init__(self, uploads: Uploads, listener: Listener, folder: Path, *, work: Work) -> None:
        self._uploads = uploads
        self._listener = listener
        self._folder = folder
        self._graph = work.graph
        self._temp_outputs = work.temp_outputs
        self._since = time.time()
        self._results: dict[str, Any] = {}
        self._shown_as: dict[str, str] = {}
        self._pictures: Counter[str] = Counter()
        self._told: tuple[Output, ...] = ()

    def progress(self, snapshot: Snapshot) -> None:
        """Pass on where the prompt stands."""
        self._listener.progress(snapshot)

    def log(self, line: str) -> None:
        """Pass on a line."""
        self._listener.log(line)

    def executed(self, event: Executed) -> None:
        """Store what a node saved."""
        self._results[event.node] = event.output
        self._shown_as[event.node] = event.display_node or event.node
        for identity, found in self._found({event.node: event.output}):
            if (
                self._temp_outputs
                or not isinstance(found, FileReference)
                or found.type == "output"
            ):
                self._uploads.add(identity, found)

    def picture(self, node_id: str, content: bytes) -> None:
        """Store a picture that a node sent; previews of other nodes are let go."""
        node = self._graph.get(node_id)
        if node is None or node.get("class_type") != SENDS_PICTURES:
            return
        self._pictures[node_id] += 1
        directory = self._folder / f"sent-{list(self._graph).index(node_id)}"
        suffix = "png" if content.startswith(_PNG) else "jpg"
        name = f"ComfyUI_{self._pictures[node_id]:05}_.{suffix}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(content)
        except OSError as error:
            message = f"{name!r} could not be kept: {error.strerror}"
            raise StorageFailed(message, node_id=node_id) from error
        subfolder = f"{self._folder.name}/{directory.name}"
        self._uploads.add((subfolder, name), FileReference(node_id, name, subfolder, "output"))

    def turn(self) -> None:
        """Tell of what was stored since.

        Raises:
            StorageFailed: an output cannot be stored; running on would be a waste.
        """
        self._uploads.check()
        self._tell_news()

    def see_off(self) -> None:
        """Let what is on its way arrive, and begin no more.

        Raises:
            StorageFailed: some could not be stored; it tells which, and which were.
        """
        self._uploads.abandon()
        self._wait()

    def finish(self, item: Mapping[str, Any], *, broke: bool) -> tuple[Output, ...]:
        """Return all outputs of the prompt with this history item, stored, in the graph's order.

        The history is complete, except that 0.3.75 forgets cached nodes; events tell of those.
        Pictures that nodes sent are in neither: if the connection `broke`, some may be lost.

        Raises:
            PicturesLost: so it is.
            StorageFailed: some could not be stored.
            NoOutputs: the graph promises some and there are none.
        """
        if broke and self._senders():
            raise PicturesLost("the connection broke that pictures are sent over")
        for node_id, meta in (item.get("meta") or {}).items():
            self._shown_as[node_id] = (meta or {}).get("display_node") or node_id
        for identity, found in self._found({**self._results, **(item.get("outputs") or {})}):
            self._uploads.add(identity, found)
        self._wait()
        order = {node_id: index for index, node_id in enumerate(self._graph)}
        outputs = tuple(
            sorted(self._uploads.stored, key=lambda each: order.get(each.node_id, len(order)))
        )
        self._check_promises(outputs)
        self._tell(outputs)
        return outputs

    def _wait(self) -> None:
        """Wait for every upload: how long one may take at most is the bucket's business."""
        while not self._uploads.wait(TURN_SECONDS):
            self._tell_news()
        self._tell_news()
        self._uploads.check()

    def _tell_news(self) -> None:
        stored = self._uploads.stored
        if len(stored) != len(self._told):
            self._tell(stored)

    def _tell(self, outputs: tuple[Output, ...]) -> None:
        for output in outputs:
            if output.key and output not in self._told:
                told = f"{output.filename} ({output.content_type}, {output.size_bytes} bytes)"
                self._listener.log(f"stored {told}")
        self._told = outputs
        self._listener.outputs(outputs)

    def _found(self, results: Mapping[str, Any]) -> Iterator[tuple[object, Reference]]:
        """Yield what was found, under the node of the graph it came from, with its identity."""
        texts: Counter[str] = Counter()
        found = find(
            results,
            temp=self._temp_outputs,
            directories=self._uploads.places,
            since=self._since,
        )
        for each in found:
            shown = replace(each, node_id=self._shown_as.get(each.node_id, each.node_id))
            if isinstance(shown, FileReference):
                yield (shown.type, shown.subfolder, shown.filename), shown
                continue
            texts[each.node_id] += 1
            yield (each.node_id, texts[each.node_id]), shown

    def _senders(self) -> list[str]:
        """Return the nodes that send pictures instead of saving them."""
        return [
            node_id
            for node_id, node in self._graph.items()
            if node.get("class_type") == SENDS_PICTURES
        ]

    def _check_promises(self, outputs: tuple[Output, ...]) -> None:
        # By custom the nodes that save take a `filename_prefix`.
        promised = self._senders() or [
            node_id for node_id, node in self._graph.items() if "filename_prefix" in node["inputs"]
        ]
        if promised and not outputs:
            message = "the workflow ended well, yet nothing that it saves was found"
            raise NoOutputs(message, node_id=promised[0] if len(promised) == 1 else None)
