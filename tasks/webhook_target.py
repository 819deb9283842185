"""Where the owner of a job wants to hear of it, and of what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from comfy_runner.addresses import BlockedAddress, Network, vet

Allowed = Collection[Network]
"""The private networks that webhooks may reach."""

WEBHOOK = "webhook"
"""The header of a job's run that holds its webhook."""

STARTED = "job.started"
OUTPUT = "job.output"

EVENT_OF = {
    "completed": "job.completed",
    "failed": "job.failed",
    "cancelled": "job.cancelled",
}
"""What is told of a job that has ended, by its status."""

FINAL_EVENTS = tuple(EVENT_OF.values())

EVENTS = (STARTED, OUTPUT, *FINAL_EVENTS)
"""All that can be told of a job, in the order in which it happens."""


class WebhookRefused(ValueError):
    """A URL that no webhook will be sent to; the message says why, and names no address."""


@dataclass(frozen=True)
class Webhook:
    """A URL, and the events to tell there; `base` is how the job's client addressed this API.

    What is served by this API itself has links that begin with `base`.
    """

    url: str
    events: tuple[str, ...] = FINAL_EVENTS
    base: str = ""

    @classmethod
    def of(cls, url: str, events: Collection[str], *, base: str = "") -> Self:
        """Return the webhook for these events; none given means the three final ones."""
        wanted = events or FINAL_EVENTS
        return cls(url, tuple(each for each in EVENTS if each in wanted), base)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(value["url"], tuple(value["events"]), value["base"])

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self) | {"events": list(self.events)}

    @property
    def tells_the_end(self) -> bool:
        """Whether any of the final events is wanted."""
        return any(each in self.events for each in FINAL_EVENTS)

    @property
    def shown_url(self) -> str:
        """The URL without query and fragment, where its owner may have put secrets."""
        return self.url.partition("#")[0].partition("?")[0]


def check_url(url: str, allow: Allowed) -> None:
    """Check all of a webhook's URL that can be checked before its name is looked up.

    Raises:
        WebhookRefused: It is malformed, not HTTP, carries a user or password, or leads inward.
    """
    try:
        vet(url, allow)
    except BlockedAddress as error:
        raise WebhookRefused(str(error)) from error


def event_id(job_id: str, event: str, output: str | None = None) -> str:
    """Return the id of an event, the same however often it is told; `output` says which one."""
    name = event.removeprefix("job.")
    return f"msg_{job_id}_{name}" + (f"_{output}" if output else "")
