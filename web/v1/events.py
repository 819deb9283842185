"""The route that tells what happens to a job while it happens, as Server-Sent Events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Response, request

from tasks.jobs import Job, JobNotFound
from web.auth import caller
from web.v1.finding import found
from web.v1.news import Event, Seen, news
from web.v1.own_jobs import unbound
from web.v1.ports import Jobs
from web.v1.telling import Document, Telling, plain_document
from web.waiting import Waiting, pointless

HEARTBEAT = ": still here\n\n"
AGAIN = "retry: 500\n\n"
"""Tells a browser to come back half a second after a stream was ended in time."""


@dataclass(frozen=True)
class Pace:
    """The times of a stream in seconds: how long one lasts, and how long it may be silent."""

    longest: float = 55.0
    heartbeat: float = 15.0
    look: float = 1.0


@dataclass(frozen=True)
class EventRoutes:
    """The route, with what it works on."""

    jobs: Jobs
    telling: Telling
    waiting: Waiting
    pace: Pace = Pace()

    def blueprint(self) -> Blueprint:
        """Return the route under /v1/jobs/{job_id}."""
        blueprint = Blueprint("events", __name__, url_prefix="/v1/jobs/<job_id>")
        blueprint.get("/events")(self.events)
        return blueprint

    def events(self, job_id: str) -> Response:
        """Stream what happens from now on, or from the Last-Event-ID on, up to the end."""
        job = found(self.jobs.get, job_id)
        seen = Seen.parse(request.headers.get("Last-Event-ID", ""))
        if seen and seen.ended and job.ended:
            return Response(status=204)  # which tells an EventSource not to come back
        place = self.waiting.enter(caller())
        stream = Stream(unbound(self.jobs), self.pace, self.telling.teller(), pointless())
        response = Response(stream.follow(job, seen), content_type="text/event-stream")
        response.call_on_close(place.close)  # a generator that never began closes nothing
        response.headers["X-Accel-Buffering"] = "no"
        return response


@dataclass(frozen=True)
class Stream:
    """One open stream; `tell` makes the JSON, `in_vain` says whether to break off."""

    jobs: Jobs
    pace: Pace
    tell: Callable[[Job], Document]
    in_vain: Callable[[], bool]

    def follow(self, job: Job, seen: Seen | None) -> Iterator[str]:
        """Yield events until the job has ended, or the stream has lasted long enough."""
        until = time.monotonic() + self.pace.longest
        spoke = time.monotonic()
        if seen is None:
            seen = Seen.of(plain_document(job))
            yield written(Event("snapshot", self.tell(job), seen))
        with self.jobs.watch() as wait:
            while True:
                try:
                    job = self.jobs.get(job.job_id)
                except JobNotFound:
                    return  # deleted; whoever comes back hears so
                for event in news(plain_document(job), seen, partial(self.tell, job)):
                    yield written(event)
                    seen, spoke = event.seen, time.monotonic()
                if seen.ended or self.in_vain():
                    return
                now = time.monotonic()
                if now >= until:
                    yield AGAIN
                    return
                if now - spoke >= self.pace.heartbeat:
                    yield HEARTBEAT
                    spoke = now
                wait(min(self.pace.look, until - now))


def written(event: Event) -> str:
    """Return an event as it goes over the line."""
    data = json.dumps(event.data)
    return f"id: {event.seen}\nevent: {event.name}\ndata: {data}\n\n"
