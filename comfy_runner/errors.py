"""Everything that can go wrong with one workflow, as one tree of errors a client may see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a workflow; `pointer` is a JSON pointer into it."""

    pointer: str
    message: str


SHOWN_PROBLEMS = 5


def in_words(problems: Sequence[Problem]) -> str:
    """Return the first five problems as one sentence, and how many more there are."""
    shown = "; ".join(problem.message for problem in problems[:SHOWN_PROBLEMS])
    more = len(problems) - SHOWN_PROBLEMS
    return f"{shown}; and {more} more" if more > 0 else shown


class ComfyError(Exception):
    """Base of all; the message is safe for clients: no traceback, no server path, no prompt."""

    code: ClassVar[str] = "comfyui_error"

    def __init__(
        self,
        message: str,
        *,
        node_id: str | None = None,
        node_type: str | None = None,
        node_title: str | None = None,
        log: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.node_id = node_id
        self.node_type = node_type
        self.node_title = node_title
        self.log = tuple(log)

    @property
    def details(self) -> dict[str, Any]:
        """JSON for a record: `code`; where known the node, and `log`, which is for operators."""
        known = {
            "node_id": self.node_id,
            "node_type": self.node_type,
            "node_title": self.node_title,
            "log": list(self.log),
        }
        return {"code": self.code, **{name: value for name, value in known.items() if value}}

    def at(self, graph: Mapping[str, Any]) -> Self:
        """Return the error itself, with the class and title that `graph` gives to its node."""
        node = graph.get(self.node_id or "")
        if isinstance(node, dict):
            meta = node.get("_meta")
            title = meta.get("title") if isinstance(meta, dict) else None
            self.node_type = self.node_type or node.get("class_type")
            self.node_title = title if isinstance(title, str) else None
        return self


class InvalidWorkflow(ComfyError):
    """The workflow cannot run as it is; `problems` lists all that was found wrong, in order."""

    code = "invalid_workflow"

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        node_id: str | None = None,
        node_type: str | None = None,
    ) -> None:
        super().__init__(message, node_id=node_id, node_type=node_type)
        self.problems = tuple(problems)


_ADDING_A_MODEL = (
    "The operator adds a model with `python manage.py models add OWNER/REPOSITORY/FILE --folder"
    " FOLDER`, and fetches those that the app names with `models pull`"
)


class ModelMissing(InvalidWorkflow):
    """All that is wrong with the workflow is that it names model files that are not there.

    The message goes on with what the operator can do about it.
    """

    code = "model_missing"

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        node_id: str | None = None,
        node_type: str | None = None,
    ) -> None:
        told = f"{message}. {_ADDING_A_MODEL}"
        super().__init__(told, problems=problems, node_id=node_id, node_type=node_type)


class NodeFailed(ComfyError):
    """A node raised while it ran; the message is the exception's type and first lines."""

    code = "node_failed"


class OutOfMemory(ComfyError):
    """A node asked for more memory than there is, and freeing some did not help."""

    code = "out_of_memory"


class ComfyCrashed(ComfyError):
    """The ComfyUI process died while it ran the prompt; `log` holds its last lines."""

    code = "comfyui_crashed"


class ComfyUnavailable(ComfyError):
    """ComfyUI never got ready, or does not answer; `log` holds its last lines."""

    code = "comfyui_unavailable"


class ComfyNotInstalled(ComfyUnavailable):
    """There is no ComfyUI here; the message says how to get one."""


class Stalled(ComfyError):
    """ComfyUI lives and will never end the prompt: what would run it is dead or stopped."""

    code = "stalled"


class Interrupted(ComfyError):
    """Somebody cancelled the prompt in ComfyUI itself, not through us."""

    code = "cancelled"


class MediaRejected(ComfyError):
    """An input file is not what a job may bring: too large, of no known type, not allowed."""

    code = "media_rejected"


class MediaUnreachable(ComfyError):
    """An input file could not be fetched; trying again later may help."""

    code = "media_unreachable"


class StorageFailed(ComfyError):
    """A file could not be stored in the bucket or on the disk, or read from there."""

    code = "storage_failed"


class OutputGone(StorageFailed):
    """An output file is not where ComfyUI says it is: a result kept from before names it."""


class NoOutputs(ComfyError):
    """The prompt ended well, yet left nothing behind although its graph saves something."""

    code = "no_outputs"


class PicturesLost(NoOutputs):
    """The connection broke that a node of the workflow sends its pictures over."""
