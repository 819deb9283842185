"""The options of one sending, and the request that they make."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol, TypedDict

from tasks.framework.message import check_id, digest, round_trip
from tasks.framework.records import Final, Job
from tasks.framework.retry import Retry


class Link(Protocol):
    """A call that can be sent later: a `Signature`."""

    def to_json(self) -> dict[str, Any]:
        """Return task, args and kwargs."""


class Declared(Protocol):
    """What a sending takes over from the task's declaration: a `Task`."""

    name: str
    timeout: float | None
    expires: float | None
    retry: Retry


class SendOptions(TypedDict, total=False):
    """What `Task.apply_async` takes beside the arguments.

    ``task_id``: the run's id; a known one returns that run; made up if absent.
    ``countdown``: seconds before the first attempt may start; ``eta``: when, with a time zone.
    ``expires``: seconds after that within which it must start, else it never does.
    ``timeout``: seconds an attempt may take, else the run fails.
    ``retry``: a `Retry` or a bare limit; the errors it is for are those of the declaration.
    ``owner``: whose run it is; listings and limits go by it.
    ``limit``: refuse if the owner has that many unfinished runs of this task.
    ``link``: sent when the run has ended, however it ended, with its id as first argument.
    ``link_error``: likewise, only when it did not end well.
    ``headers``: JSON that the body finds in ``current.headers``.
    ``resources``: what it asks of the place it runs in, by name, as the backend understands it.
    """

    task_id: str | None
    countdown: float | None
    eta: datetime | None
    expires: float | None
    timeout: float | None
    retry: Retry | int | None
    owner: str | None
    limit: int | None
    link: Link | None
    link_error: Link | None
    headers: Mapping[str, Any] | None
    resources: Mapping[str, str] | None


def request_of(
    declared: Declared, sent: tuple[list[Any], dict[str, Any]], options: SendOptions, now: float
) -> Job:
    """Put a request together.

    Raises:
        NotSerializable: a header or an argument of a link is not JSON.
        ValueError: an option cannot be used; the message names it.
    """
    task_id = options.get("task_id")
    due = due_of(options, now)
    wait = _first(options.get("expires"), declared.expires)
    return Job(
        id=check_id(task_id) if task_id is not None else str(uuid.uuid4()),
        task=declared.name,
        args=sent[0],
        kwargs=sent[1],
        owner=options.get("owner"),
        created=now,
        deadline=due + wait if wait is not None else None,
        due=due,
        expires=wait,
        digest=digest(declared.name, *sent),
        link=_link(options.get("link"), "link"),
        link_error=_link(options.get("link_error"), "link_error"),
        timeout=_first(options.get("timeout"), declared.timeout),
        retry=_numbers(options.get("retry"), declared.retry),
        headers=round_trip(dict(options.get("headers") or {}), "headers"),
        resources=_resources(options.get("resources") or {}),
    )


def again(final: Final, now: float) -> Job:
    """Put together the request to do once more what has ended, as a new run."""
    return Job(
        id=str(uuid.uuid4()),
        task=final.task,
        args=final.args,
        kwargs=final.kwargs,
        owner=final.owner,
        created=now,
        deadline=now + final.expires if final.expires is not None else None,
        due=now,
        expires=final.expires,
        digest=final.digest,
        link=final.link,
        link_error=final.link_error,
        timeout=final.timeout,
        retry=final.retry,
        headers=final.headers,
        resources=final.resources,
    )


def due_of(options: SendOptions, now: float) -> float:
    """Return when the first attempt may start, in seconds since 1970.

    Raises:
        ValueError: both ways of saying so were used, or the moment has no time zone.
    """
    countdown, eta = options.get("countdown"), options.get("eta")
    if countdown is not None and eta is not None:
        raise ValueError("countdown and eta say the same thing in two ways: give one of them")
    if eta is None:
        return now + max(0.0, countdown or 0.0)
    if eta.tzinfo is None:
        raise ValueError(f"eta {eta.isoformat()} has no time zone: give an aware datetime")
    return max(now, eta.timestamp())


def _numbers(asked: Retry | int | None, declared: Retry) -> dict[str, Any] | None:
    """Return what can travel of a policy: errors are classes and cannot."""
    if asked is None:
        return None
    if isinstance(asked, int):
        return {"limit": Retry(limit=asked).limit}
    default = Retry()
    if (asked.on, asked.never) not in {
        (declared.on, declared.never),
        (default.on, default.never),
    }:
        raise ValueError("retry: on= and never= belong to the declaration, they cannot be sent")
    numbers = asdict(asked)
    del numbers["on"], numbers["never"]
    return numbers


def _resources(asked: Mapping[str, str]) -> dict[str, str]:
    for name, value in asked.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            raise ValueError(f"resources: {name!r}: {value!r} is not a name with a string")
    return dict(asked)


def _link(link: Link | None, name: str) -> dict[str, Any] | None:
    if link is None:
        return None
    told: dict[str, Any] = round_trip(link.to_json(), name)
    return told


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
