"""Everything that can go wrong with one workflow, as one tree of errors a client may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a workflow; `pointer` is a JSON pointer into it."""

    pointer: str
    message: str


class ComfyError(Exception):
    """Base of all; the message is safe for clients: no traceback, no server path, no prompt."""

    code: ClassVar[str] = "comfyui_error"

    def __init__(
        self,
        message: str,
        *,
        node_id: str | None = None,
        node_type: str | None = None,
        log: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.node_id = node_id
        self.node_type = node_type
        self.log = tuple(log)

    @property
    def details(self) -> dict[str, Any]:
        """JSON for a record: `code`; `node_id`, `node_type`, `log` (for operators) where known."""
        known = {"node_id": self.node_id, "node_type": self.node_type, "log": list(self.log)}
        return {"code": self.code, **{name: value for name, value in known.items() if value}}


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


class NodeFailed(ComfyError):
    """A node raised while it ran; the message is the exception's type and first lines."""

    code = "node_failed"


class ComfyCrashed(ComfyError):
    """The ComfyUI process died while it ran the prompt; `log` holds its last lines."""

    code = "comfyui_crashed"


class ComfyUnavailable(ComfyError):
    """ComfyUI never got ready, or does not answer; `log` holds its last lines."""

    code = "comfyui_unavailable"


class ComfyNotInstalled(ComfyUnavailable):
    """There is no ComfyUI here; the message says how to get one."""


class Interrupted(ComfyError):
    """Somebody else interrupted the prompt in ComfyUI."""

    code = "interrupted"


class StorageFailed(ComfyError):
    """An output could not be stored in the bucket."""

    code = "storage_failed"


class NoOutputs(ComfyError):
    """The prompt ended well, yet left nothing behind although its graph saves something."""

    code = "no_outputs"
