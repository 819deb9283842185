"""What a job's owner gets when something goes wrong: every fault at every moment, as one table.

`test_faults.py` makes each of these happen to a real ComfyUI, and holds `docs/runner.md` to it;
`python -m tests.comfy_runner.fault_matrix` writes it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "runner.md"
BEGIN, END = "<!-- faults -->", "<!-- /faults -->"

Restart = Literal["no", "during", "next"]

RESTARTS: dict[Restart, str] = {
    "no": "",
    "during": ", ComfyUI started anew",
    "next": ", ComfyUI started anew for the next job",
}

MOMENTS = {
    "starting": "ComfyUI starts",
    "submitted": "files fetched, prompt sent and checked",
    "running": "the first node runs",
    "storing": "an output is stored, a later node runs",
    "left": "the prompt has ended, outputs are left to store",
    "between": "between two jobs",
}


@dataclass(frozen=True)
class Seen:
    """What happened: "completed" or the code of the error, and when ComfyUI was started anew."""

    owner: str
    restart: Restart = "no"

    def __str__(self) -> str:
        owner = self.owner if self.owner == "completed" else f"`{self.owner}`"
        return owner + RESTARTS[self.restart]


Cell = Seen | str
"""What happens then, or in words why the fault cannot be at that moment."""


@dataclass(frozen=True)
class Row:
    """A fault in words, and what comes of it at each moment; those in `fast` are always tested."""

    fault: str
    starting: Cell
    submitted: Cell
    running: Cell
    storing: Cell
    left: Cell
    between: Cell
    fast: tuple[str, ...] = ()

    def cells(self) -> Iterator[tuple[str, Cell]]:
        """Yield every moment with its cell."""
        for moment in MOMENTS:
            yield moment, getattr(self, moment)


FINE = Seen("completed")
AGAIN = Seen("completed", "during")
LATER = Seen("completed", "next")
CANCELLED = Seen("cancelled")
LOST = Seen("storage_failed")

NO_STREAM = "no event stream is open"
NO_NODE = "no node runs yet"
NODES_ENDED = "all nodes have ended"
NOTHING_RUNS = "no node runs"
IN_PLACE = "the files are there by then"


def _of_a_node(fault: str, running: Cell, storing: Cell, *, fast: tuple[str, ...] = ()) -> Row:
    """Return the row of something that only a node can do."""
    return Row(
        fault,
        starting=NO_NODE,
        submitted=NO_NODE,
        running=running,
        storing=storing,
        left=NODES_ENDED,
        between=NOTHING_RUNS,
        fast=fast,
    )


MATRIX = {
    "stream dropped": Row(
        "the event stream breaks",
        starting=NO_STREAM,
        submitted=FINE,
        running=FINE,
        storing=FINE,
        left="the event stream is closed by then",
        between=NO_STREAM,
        fast=("submitted",),
    ),
    "stream refused": Row(
        "the event stream breaks and no other is taken",
        starting=NO_STREAM,
        submitted=FINE,
        running=FINE,
        storing=FINE,
        left="the event stream is closed by then",
        between=NO_STREAM,
    ),
    "stream deaf": Row(
        "the event stream says nothing any more",
        starting=NO_STREAM,
        submitted=FINE,
        running=FINE,
        storing=FINE,
        left="the event stream is closed by then",
        between=NO_STREAM,
        fast=("submitted",),
    ),
    "killed": Row(
        "ComfyUI is killed (`kill -9`)",
        starting=AGAIN,
        submitted=AGAIN,
        running=AGAIN,
        storing=AGAIN,
        left=LATER,
        between=AGAIN,
        fast=("storing", "left"),
    ),
    "stopped": Row(
        "ComfyUI is stopped (`kill -STOP`)",
        starting=AGAIN,
        submitted=AGAIN,
        running=AGAIN,
        storing=AGAIN,
        left=LATER,
        between=AGAIN,
    ),
    "hangs": Row(
        "ComfyUI takes calls and answers none",
        starting=AGAIN,
        submitted=AGAIN,
        running=AGAIN,
        storing=AGAIN,
        left=LATER,
        between=AGAIN,
    ),
    "fails": Row(
        "ComfyUI answers 500 for three seconds",
        starting=FINE,
        submitted=AGAIN,
        running=FINE,
        storing=FINE,
        left=LATER,
        between=AGAIN,
        fast=("running",),
    ),
    "exits once": _of_a_node("a node ends the process, once", AGAIN, AGAIN),
    "exits": _of_a_node(
        "a node ends the process each time",
        Seen("comfyui_crashed", "during"),
        Seen("comfyui_crashed", "during"),
    ),
    "thread ends once": _of_a_node(
        "a node ends the thread that runs prompts (`sys.exit`), once", AGAIN, AGAIN
    ),
    "thread ends": _of_a_node(
        "a node ends the thread that runs prompts each time",
        Seen("stalled", "during"),
        Seen("stalled", "during"),
    ),
    "lock held": _of_a_node("a node computes and lets ComfyUI answer nobody", FINE, FINE),
    "memory short": _of_a_node(
        "memory runs out, and freeing some helps", FINE, FINE, fast=("running",)
    ),
    "memory out": _of_a_node(
        "memory runs out, and freeing some does not help",
        Seen("out_of_memory"),
        Seen("out_of_memory"),
        fast=("storing",),
    ),
    "raises": _of_a_node(
        "a node raises", Seen("node_failed"), Seen("node_failed"), fast=("storing",)
    ),
    "cancel": Row(
        "the job is cancelled",
        starting=CANCELLED,
        submitted=CANCELLED,
        running=CANCELLED,
        storing=CANCELLED,
        left=CANCELLED,
        between="there is no job to cancel",
        fast=("storing", "left"),
    ),
    "cancel unheard": _of_a_node(
        "the job is cancelled, its node cannot be interrupted",
        Seen("cancelled", "during"),
        Seen("cancelled", "during"),
    ),
    "disk full": Row(
        "the disk of the worker is full",
        starting=LOST,
        submitted=LOST,
        running=LOST,
        storing=LOST,
        left=FINE,
        between=LOST,
    ),
    "bucket refuses": Row(
        "the bucket refuses connections",
        starting=LOST,
        submitted=LOST,
        running=LOST,
        storing=LOST,
        left=LOST,
        between=LOST,
    ),
    "bucket hangs": Row(
        "the bucket takes connections and answers nothing",
        starting=LOST,
        submitted=LOST,
        running=LOST,
        storing=LOST,
        left=LOST,
        between=LOST,
    ),
    "bucket slow": Row(
        "the bucket is slow",
        starting=FINE,
        submitted=FINE,
        running=FINE,
        storing=FINE,
        left=FINE,
        between=FINE,
    ),
    "bucket busy": Row(
        "the bucket answers 503 with Retry-After, twice",
        starting=FINE,
        submitted=FINE,
        running=FINE,
        storing=FINE,
        left=FINE,
        between=FINE,
    ),
    "media unreachable": Row(
        "an input file cannot be fetched",
        starting="files are fetched when ComfyUI is ready",
        submitted=Seen("media_unreachable"),
        running=IN_PLACE,
        storing=IN_PLACE,
        left=IN_PLACE,
        between="a job brings its own files",
        fast=("submitted",),
    ),
}


def rendered() -> str:
    """Return the table as Markdown."""
    head = f"| fault | {' | '.join(MOMENTS.values())} |"
    rows = [
        f"| {row.fault} | {' | '.join(str(cell) for _, cell in row.cells())} |"
        for row in MATRIX.values()
    ]
    return "\n".join([head, "|---" * (len(MOMENTS) + 1) + "|", *rows])


def document(text: str) -> str:
    """Return the text of the document with the table of today between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{rendered()}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text()))
