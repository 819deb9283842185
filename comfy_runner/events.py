"""ComfyUI's WebSocket messages as typed events, whatever a frame may hold."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Status:
    """How many prompts the server has running and waiting; sent to every socket."""

    queue_remaining: int


@dataclass(frozen=True)
class Started:
    """The prompt left the queue."""

    prompt_id: str


@dataclass(frozen=True)
class Cached:
    """Nodes whose results the server kept from earlier prompts, needed here or not."""

    prompt_id: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Executing:
    """A node began; without a node: the prompt ended and its history is written.

    The one sent to a socket that connects during a run has no `prompt_id`, and its
    node is the display node.
    """

    prompt_id: str | None
    node: str | None
    display_node: str | None


@dataclass(frozen=True)
class NodeProgress:
    """One step of a node's own bar, such as a sampler's."""

    prompt_id: str
    node: str
    value: float
    maximum: float


@dataclass(frozen=True)
class NodeState:
    """One node inside a `ProgressState`; `real_node_id` is the graph's own node."""

    value: float
    maximum: float
    state: str
    real_node_id: str


@dataclass(frozen=True)
class ProgressState:
    """Every node that has begun, as one cumulative picture (absent before mid-2025)."""

    prompt_id: str
    nodes: Mapping[str, NodeState]


@dataclass(frozen=True)
class Executed:
    """A node with something to show ended; cached output nodes send it too."""

    prompt_id: str
    node: str
    display_node: str | None
    output: dict[str, Any] | None


@dataclass(frozen=True)
class Succeeded:
    """The prompt ended well; its history follows within moments."""

    prompt_id: str


@dataclass(frozen=True)
class Failed:
    """A node raised. The server's traceback and inputs are left out: they are not for clients."""

    prompt_id: str
    node_id: str | None
    node_type: str | None
    exception_type: str
    exception_message: str

    @property
    def terminal(self) -> bool:
        """Whether the prompt ended: an `ExecutionBlocked` skips nodes and the run goes on."""
        return self.exception_type != "ExecutionBlocked"


@dataclass(frozen=True)
class NodeInterrupted:
    """Somebody interrupted the prompt while this node ran."""

    prompt_id: str
    node_id: str | None
    node_type: str | None


@dataclass(frozen=True)
class Picture:
    """A picture that the running node sent as it is, encoded: a preview, or its very output."""

    content: bytes
    prompt_id: None = None  # the frame does not say


Event = (
    Status
    | Started
    | Cached
    | Executing
    | NodeProgress
    | ProgressState
    | Executed
    | Succeeded
    | Failed
    | NodeInterrupted
    | Picture
)

_PICTURE = b"\0\0\0\1"
"""The first four bytes of a binary frame that holds a picture (protocol.py, BinaryEventTypes)."""

_PICTURE_HEADER_BYTES = 8


def parse(frame: str | bytes) -> Event | None:
    """Return the event a frame carries; None for unknown kinds and garbage.

    Custom nodes send messages of their own through the same socket, so an unknown or
    misshapen frame is normal and never an error.
    """
    if isinstance(frame, bytes):
        is_picture = frame.startswith(_PICTURE) and len(frame) > _PICTURE_HEADER_BYTES
        return Picture(frame[_PICTURE_HEADER_BYTES:]) if is_picture else None
    try:
        message = json.loads(frame)
        reader = _READERS[message["type"]]
        return reader(message["data"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _status(data: Any) -> Status:
    return Status(int(_number(data["status"]["exec_info"]["queue_remaining"])))


def _started(data: Any) -> Started:
    return Started(_id(data["prompt_id"]))


def _cached(data: Any) -> Cached:
    return Cached(_id(data["prompt_id"]), tuple(_id(node) for node in data["nodes"]))


def _executing(data: Any) -> Executing:
    return Executing(
        prompt_id=_id_or_none(data.get("prompt_id")),
        node=_id_or_none(data["node"]),
        display_node=_id_or_none(data.get("display_node")),
    )


def _node_progress(data: Any) -> NodeProgress:
    return NodeProgress(
        _id(data["prompt_id"]), _id(data["node"]), _number(data["value"]), _number(data["max"])
    )


def _progress_state(data: Any) -> ProgressState:
    nodes = {_id(node): _node_state(node, state) for node, state in data["nodes"].items()}
    return ProgressState(_id(data["prompt_id"]), nodes)


def _node_state(node: str, state: Any) -> NodeState:
    return NodeState(
        value=_number(state["value"]),
        maximum=_number(state["max"]),
        state=_id(state["state"]),
        real_node_id=_id_or_none(state.get("real_node_id")) or node,
    )


def _executed(data: Any) -> Executed:
    output = data.get("output")
    return Executed(
        prompt_id=_id(data["prompt_id"]),
        node=_id(data["node"]),
        display_node=_id_or_none(data.get("display_node")),
        output=output if isinstance(output, dict) else None,
    )


def _succeeded(data: Any) -> Succeeded:
    return Succeeded(_id(data["prompt_id"]))


def _failed(data: Any) -> Failed:
    return Failed(
        prompt_id=_id(data["prompt_id"]),
        node_id=_id_or_none(data.get("node_id")),
        node_type=_id_or_none(data.get("node_type")),
        exception_type=str(data.get("exception_type") or ""),
        exception_message=str(data.get("exception_message") or ""),
    )


def _interrupted(data: Any) -> NodeInterrupted:
    return NodeInterrupted(
        prompt_id=_id(data["prompt_id"]),
        node_id=_id_or_none(data.get("node_id")),
        node_type=_id_or_none(data.get("node_type")),
    )


def _id(value: Any) -> str:
    """Return an identifier as text; custom nodes sometimes send numbers."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"not an identifier: {value!r}")


def _id_or_none(value: Any) -> str | None:
    return None if value is None else _id(value)


def _number(value: Any) -> float:
    """Return a finite number; `json.loads` also lets infinity and NaN through."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"not a number: {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"not a finite number: {value!r}")
    return number


_READERS: Mapping[str, Callable[[Any], Event]] = {
    "status": _status,
    "execution_start": _started,
    "execution_cached": _cached,
    "executing": _executing,
    "progress": _node_progress,
    "progress_state": _progress_state,
    "executed": _executed,
    "execution_success": _succeeded,
    "execution_error": _failed,
    "execution_interrupted": _interrupted,
}
