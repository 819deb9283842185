"""What chains and groups are as records: their names, their members, and the ids of those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.framework.message import round_trip
from tasks.framework.protocol import Protocol
from tasks.framework.records import Final, Job
from tasks.framework.retry import Retry
from tasks.framework.sending import Declared, SendOptions, request_of

DERIVED = ("task_id", "limit", "link")
"""The options that a member cannot have: its id, its place and its link are its canvas's."""

KEPT = {
    "task",
    "args",
    "kwargs",
    "owner",
    "expires",
    "timeout",
    "retry",
    "headers",
    "resources",
    "link_error",
}
"""The fields of a request that a member brings with it."""


@dataclass(eq=False)
class Internal:
    """How a task of the framework's own is declared."""

    name: str
    timeout: float | None = None
    expires: float | None = None
    retry: Retry = field(default_factory=lambda: Retry(limit=5))


LOOKS_AGAIN = Retry(limit=1_000_000, delay=60, max_delay=3600)
"""When a canvas sees for itself where it stands, should a link have been lost for good."""

CHAIN = Internal("tasks.framework.canvas.chain", retry=LOOKS_AGAIN)
GROUP = Internal("tasks.framework.canvas.group", retry=LOOKS_AGAIN)
ADVANCE = Internal("tasks.framework.canvas.advance")
STOP = Internal("tasks.framework.canvas.stop")
CANVASES = {CHAIN.name, GROUP.name}


def member(
    declared: Declared, sent: tuple[Any, ...], options: SendOptions, *, immutable: bool
) -> dict[str, Any]:
    """Describe a call as JSON, with its options, for a canvas to send later.

    Raises:
        NotSerializable: an argument or header is not JSON.
        ValueError: an option cannot be used in a chain or group.
    """
    for name in DERIVED:
        if options.get(name) is not None:
            raise ValueError(f"{name} cannot be set on a member: set it on the chain or group")
    args, kwargs = sent
    checked = round_trip(list(args), "args"), round_trip(dict(kwargs), "kwargs")
    job = request_of(declared, checked, options, now=0.0)
    absolute = options.get("eta") is not None
    return {
        **{name: value for name, value in job.to_json().items() if name in KEPT},
        "after": 0.0 if absolute else job.due,
        "at": job.due if absolute else 0.0,
        "immutable": immutable,
    }


def member_id(canvas: str, index: int) -> str:
    """Return the id of a member, which everybody derives alike."""
    return f"{canvas}.{index}"


def job_of(
    canvas: str, index: int, call: Mapping[str, Any], *, given: list[Any], now: float
) -> Job:
    """Build a member's request: what is given goes before its own arguments."""
    due, wait = max(now + call["after"], call["at"]), call["expires"]
    values = {
        **call,
        "id": member_id(canvas, index),
        "args": call["args"] if call["immutable"] else [*given, *call["args"]],
        "created": now,
        "due": due,
        "deadline": None if wait is None else due + wait,
        "digest": f"member of {canvas}",
        "link": {"task": ADVANCE.name, "args": [canvas], "kwargs": {"index": index}},
    }
    return Job.from_json(values)


def child_ids(record: Job | Final) -> list[str]:
    """Return the ids of the runs that may come out of this one."""
    if record.task in CANVASES:
        return [member_id(record.id, n) for n in range(len(record.kwargs["calls"]))]
    return [f"{record.id}.link", f"{record.id}.error"]


def revoke(protocol: Protocol, run_id: str) -> bool:
    """Have a run, and what a chain or group has sent, not start or stop; False: it is over."""
    job = protocol.job(run_id)
    if not protocol.revoke(run_id):
        return False
    for each in child_ids(job) if job and job.task in CANVASES else ():
        revoke(protocol, each)
    return True
