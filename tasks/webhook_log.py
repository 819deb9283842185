"""What became of the events of a job, and sending them once more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tasks.document import timestamp
from tasks.framework import AsyncResult, RunUnfinished, State, UnknownRun, runtime
from tasks.framework.reading import Reading, read
from tasks.framework.records import Final
from tasks.jobs.model import Job
from tasks.webhook import deliver_webhook
from tasks.webhook_events import MOST_OUTPUTS, mark_of, run_of
from tasks.webhook_target import EVENT_OF, OUTPUT, STARTED, Webhook, event_id

MOST_REDELIVERIES = 20
"""How often one event may be sent anew on request."""


class NothingToRedeliver(Exception):
    """The job has no such event; `events` are those that it has had so far."""

    def __init__(self, events: tuple[str, ...]) -> None:
        super().__init__(f"the job has no such event, only {', '.join(events) or 'none'} so far")
        self.events = events


class TooManyRedeliveries(Exception):
    """An event has been sent anew as often as it may be."""

    def __init__(self, identity: str) -> None:
        super().__init__(f"{identity} has been sent anew {MOST_REDELIVERIES} times already")


@dataclass(frozen=True)
class Delivery:
    """One event of a job: `pending`, `delivered` or `failed`; each attempt is as it was kept.

    `next_attempt_at` is set while it waits for its next round.
    """

    id: str
    type: str
    state: str
    attempts: tuple[Mapping[str, Any], ...]
    next_attempt_at: datetime | None

    def to_json(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        return {
            "id": self.id,
            "type": self.type,
            "state": self.state,
            "attempts": [dict(each) for each in self.attempts],
            "next_attempt_at": timestamp(self.next_attempt_at),
        }


@dataclass(frozen=True)
class _Event:
    """An event that happened, and the runs that send it: the first, and those on request."""

    job_id: str
    type: str
    mark: str | None
    runs: tuple[Reading, ...]

    @property
    def id(self) -> str:
        return event_id(self.job_id, self.type, self.mark)

    def delivery(self) -> Delivery:
        attempts = tuple(each for run in self.runs for each in run.kept.get("attempts", ()))
        newest = self.runs[-1] if self.runs else None
        ended = newest.state if newest and newest.state.final else None
        words = {None: "pending", State.SUCCEEDED: "delivered"}
        return Delivery(
            id=self.id,
            type=self.type,
            state=words.get(ended, "failed"),
            attempts=attempts,
            next_attempt_at=_due(newest),
        )


def deliveries(job: Job) -> tuple[Delivery, ...]:
    """Return what became of each event of the job that its webhook wants, in order."""
    return tuple(event.delivery() for event in _events(job))


def redeliver(job: Job, event: str | None = None) -> tuple[Delivery, ...]:
    """Send the events of a job anew, now: all, or those of one type or id. Each keeps its id.

    One that is just about to be sent is left alone.

    Raises:
        NothingToRedeliver: there is no such event.
        TooManyRedeliveries: one has been sent anew too often; those before it have been sent.
    """
    found = tuple(_events(job))
    chosen = [each for each in found if event in {None, each.type, each.id}]
    if not chosen or job.webhook is None:
        raise NothingToRedeliver(tuple(each.id for each in found))
    for each in chosen:
        _send_anew(each, job.webhook)
    return deliveries(job)


def forget(job: Job) -> None:
    """Send no more events of a job, and drop what became of them; for jobs that are deleted."""
    for event in _events(job):
        for run in event.runs:
            result = AsyncResult[Any](run.id)
            result.revoke()
            try:
                result.forget()
            except (RunUnfinished, UnknownRun):  # in hand just now, or dropped by somebody else
                continue


def _events(job: Job) -> Iterator[_Event]:
    """Yield the events that the webhook wants and that have happened."""
    if job.webhook is None:
        return
    wanted = job.webhook.events
    if STARTED in wanted and (begun := _event(job, STARTED)).runs:
        yield begun
    for output in job.outputs[: MOST_OUTPUTS if OUTPUT in wanted else 0]:
        if (stored := _event(job, OUTPUT, mark_of(output))).runs:
            yield stored
    ending = EVENT_OF.get(job.status.value)
    if ending in wanted:
        yield _event(job, str(ending))  # it is certain to be sent, even if it has not been yet


def _event(job: Job, event: str, mark: str | None = None) -> _Event:
    return _Event(job.job_id, event, mark, tuple(_runs(run_of(job.job_id, event, mark))))


def _runs(first: str) -> Iterator[Reading]:
    names = [first, *(_name(first, n) for n in range(1, MOST_REDELIVERIES + 1))]
    for index, name in enumerate(names):
        reading = read(runtime().protocol, name)
        if reading is not None:
            yield reading
        elif index:  # without the first one, whose record has been purged, there may be others
            return


def _name(first: str, n: int) -> str:
    return f"{first}.again{n}"


def _send_anew(event: _Event, webhook: Webhook) -> None:
    newest = event.runs[-1] if event.runs else None
    if newest and newest.state in {State.QUEUED, State.STARTED}:
        return
    first = run_of(event.job_id, event.type, event.mark)
    n = sum(run.id != first for run in event.runs) + 1
    if n > MOST_REDELIVERIES:
        raise TooManyRedeliveries(event.id)
    deliver_webhook.apply_async(
        (event.job_id, webhook.to_json(), event.type, event.mark),
        task_id=_name(first, n),
        headers=event.runs[0].headers if event.runs else None,
    )
    if newest and not newest.state.final:  # it waits for its next round: this is it
        AsyncResult[Any](newest.id).revoke()


def _due(run: Reading | None) -> datetime | None:
    if run is None or isinstance(run.record, Final) or run.record.due <= run.now:
        return None
    return datetime.fromtimestamp(run.record.due, UTC)
