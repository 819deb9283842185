"""What the control plane remembers of functions, calls and containers."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from modal_proto import api_pb2 as pb

from tests.local_modal.process_tree import Sighting


@dataclass(eq=False)
class Input:
    """One message for a function, from its arrival to its result."""

    id: str
    index: int
    call: Call
    message: pb.FunctionInput
    status: Literal["pending", "running", "done"] = "pending"
    task: Container | None = None
    retries: int = 0
    output: pb.FunctionGetOutputsItem | None = None
    entry: int = 0  # results are numbered in the order of their arrival
    started: float = 0.0


@dataclass(eq=False)
class Call:
    """A FunctionCall: one input of `spawn`, or the many of a map."""

    id: str
    function_id: str
    kind: Literal["unary", "map", "web", "schedule"]
    parent_input_id: str = ""
    invocation_type: pb.FunctionCallInvocationType.ValueType = 0  # type: ignore[assignment] # 0 is UNSPECIFIED
    inputs: list[Input] = field(default_factory=list)
    data_in: list[pb.DataChunk] = field(default_factory=list)
    data_out: list[pb.DataChunk] = field(default_factory=list)
    cancelled: bool = False
    expired: bool = False
    created: float = field(default_factory=time.time)

    @property
    def done(self) -> bool:
        return bool(self.inputs) and all(each.status == "done" for each in self.inputs)


@dataclass(eq=False)
class Function:
    """A function or class of an app, or a variant of one with parameters or options bound."""

    id: str
    app_id: str
    name: str
    proto: pb.Function = field(default_factory=pb.Function)  # of the first GPU wanted
    precreated: pb.FunctionPrecreateRequest | None = None
    created: bool = False
    ranked: list[pb.Function] = field(default_factory=list)
    base_id: str = ""
    serialized_params: bytes = b""
    queue: deque[Input] = field(default_factory=deque)
    tasks: dict[str, Container] = field(default_factory=dict)
    web_url: str = ""
    method_urls: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Container:
    """One container (Modal says task), which here is a process and its descendants."""

    id: str
    fn: Function
    dir: Path
    proc: asyncio.subprocess.Process | None = None
    running: dict[str, Input] = field(default_factory=dict)
    cancels: list[str] = field(default_factory=list)
    stopping: bool = False
    redeliver: bool = False  # what runs when it ends is for another container, as on preemption
    cancel_sent: bool = False
    exited: bool = False
    returncode: int | None = None
    ready: bool = False  # has asked for its first input
    start_failure: str = ""
    n_inputs: int = 0
    checkpoints: int = 0
    task_result: pb.GenericResult | None = None
    family: dict[int, tuple[str, str]] = field(default_factory=dict)  # pid: start time, command
    orphans: list[str] = field(default_factory=list)  # commands that outlived the main process
    at_snapshot: Sighting | None = None

    def log(self) -> str:
        """Return what the container has printed."""
        file = self.dir / "container.log"
        return file.read_text(errors="replace") if file.exists() else ""


@dataclass(eq=False)
class App:
    """An app, deployed or ephemeral."""

    id: str
    name: str = ""
    functions: dict[str, str] = field(default_factory=dict)  # tag: id
    classes: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    published: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Volume:
    """A Volume, which here is a directory."""

    id: str
    name: str
    dir: Path
    version: pb.VolumeFsVersion.ValueType


@dataclass(frozen=True)
class Image:
    """An image as asked for; it is never built."""

    proto: pb.Image
    build_function_id: str
