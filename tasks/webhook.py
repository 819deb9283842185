"""Telling the owner of a job what became of it, over days if it must be."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tasks.framework import Retry, Signature, Worker, current, task
from tasks.webhook_target import EVENT_OF, OUTPUT, STARTED, Webhook, event_id

if TYPE_CHECKING:  # whoever only sends this task does not load what speaks HTTP
    from tasks.webhook_sending import Sender, Try

SCHEDULE = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds between two rounds, as Standard Webhooks recommends: over three days in all."""

FEW_ROUNDS = 3
"""How often an event is sent to a receiver that says, or whose address says, that it must not."""

LONGEST_RETRY_AFTER = 3600.0
"""How much longer than the schedule a receiver can make us wait."""

JITTER = 0.1
"""A pause is up to this fraction longer, so that what failed together is spread out."""

_GONE = 410
_REFUSALS = frozenset({400, 401, 403, 404})

Document = Callable[[str, str], Mapping[str, Any] | None]
"""From a job's id, and the address that links begin with, to the job as the API tells it."""


class DeliveryFailed(Exception):
    """An event will not be sent again, unless somebody asks for it."""


class Courier(Worker):
    """What it takes to deliver, in a pool of its own: a slow receiver holds up no other task."""

    pool = "webhooks"

    def __init__(
        self, sender: Sender, document: Document, *, chance: random.Random | None = None
    ) -> None:
        self.sender = sender
        self.document = document
        self.chance = chance or random.Random()


@task(
    worker=Courier,
    timeout=300,  # far above what a round can take: a run that is out of time is not retried
    retry=Retry(limit=30, delay=5, backoff=6, max_delay=86_400, never=(DeliveryFailed,)),
)
def deliver_webhook(
    courier: Courier,
    job_id: str,
    webhook: Mapping[str, Any],
    event: str | None = None,
    output: str | None = None,
) -> str | None:
    """Send one event of a job, by and by; return its id, or None if nobody wants to hear of it.

    No `event` means how the job has ended; `output` says which output `job.output` is about.

    Raises:
        DeliveryFailed: the receiver does not want it, or did not take it in three days.
    """
    target = Webhook.from_json(webhook)
    document = courier.document(job_id, target.base)
    if document is None:
        raise DeliveryFailed("the job has been deleted")
    name = event or EVENT_OF[document["status"]]
    if name not in target.events:
        return None
    identity = event_id(job_id, name, output)
    rounds = current.kept.get("rounds", 0) + 1
    current.keep(id=identity, type=name)
    last = courier.sender.send(target.url, identity, _body(name, document), _record)
    current.keep(rounds=rounds)
    if last.error is not None:
        _again(last, rounds, courier.chance)
    return identity


def link_to(webhook: Webhook | None) -> Signature[str | None] | None:
    """Return what has to follow a job with this webhook, if it is to hear of the end."""
    if webhook is None or not webhook.tells_the_end:
        return None
    return deliver_webhook.s(webhook.to_json())


def _body(event: str, document: Mapping[str, Any]) -> bytes:
    """Return what is signed and sent; `timestamp` is when it happened, and stays the same."""
    moments = {STARTED: document["started_at"], OUTPUT: current.headers.get("happened")}
    happened = moments.get(event, document["completed_at"])
    body = {"type": event, "timestamp": happened, "data": document}
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def _record(tried: Try) -> None:
    """Keep what came of a request: the delivery log of the job's owner."""
    current.keep(attempts=[*current.kept.get("attempts", []), tried.to_json()])


def _again(last: Try, rounds: int, chance: random.Random) -> None:
    """Ask for the next round, or give up.

    Raises:
        DeliveryFailed: there is none.
        RetryRequested: there is one.
    """
    refused = last.blocked or last.status in _REFUSALS
    most = FEW_ROUNDS if refused else len(SCHEDULE) + 1
    if last.status == _GONE or rounds >= most:
        raise DeliveryFailed(f"given up after {rounds} of {most} rounds: {last.error}")
    pause = SCHEDULE[rounds - 1] * chance.uniform(1, 1 + JITTER)
    asked = min(last.retry_after or 0.0, LONGEST_RETRY_AFTER)
    current.retry(after=max(pause, asked), reason=last.error or "")
