"""How a client follows one job: by waiting for each change, or by its stream of events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import requests

from web.answers import Job
from web.client.connection import Connection, reason
from web.client.errors import (
    ApiError,
    ApiUnreachable,
    ClientError,
    TookTooLong,
    UnexpectedAnswer,
    may_pass,
)
from web.client.events import Ended, Event, read_events

LONGEST_WAIT_SECONDS = 50
"""The most that the API takes as `?wait=`."""

SILENCE_SECONDS = 30.0
"""How long the server may be away: time for a restart."""

STREAM_SILENCE_SECONDS = 35.0
"""How long a stream may be silent; the API sends a heartbeat every 15 seconds."""

FASTEST_LOOK_SECONDS = 0.1
SLOWEST_LOOK_SECONDS = 1.0


class Clock:
    """What a following is bounded by: its time in all, and how long nothing was heard."""

    def __init__(self, connection: Connection, job_id: str, seconds: float) -> None:
        self._patience = connection.patience
        self._job_id = job_id
        self._seconds = seconds
        self._began = self._heard = self._patience.clock()

    def left(self) -> float:
        """Return how many seconds are left; raise TookTooLong if there are none."""
        left = self._began + self._seconds - self._patience.clock()
        if left <= 0:
            raise TookTooLong(
                f"Job {self._job_id} had not ended after {self._seconds:g} seconds; it goes on."
            )
        return left

    def heard(self) -> None:
        """Note that the server has answered."""
        self._heard = self._patience.clock()

    def bear(self, error: ClientError) -> None:
        """Raise the error unless it may pass and the server has not been away for too long."""
        if not may_pass(error) or self._patience.clock() - self._heard > SILENCE_SECONDS:
            raise error

    def pace(self, since: float, asked: float | None = None) -> None:
        """Sleep so that looks are a tenth of a second apart at first, later a second.

        `since` is when the last began, so one that the server has held back delays nothing.
        """
        now = self._patience.clock()
        usual = min(SLOWEST_LOOK_SECONDS, FASTEST_LOOK_SECONDS + (now - self._began) / 60)
        pause = max(since + usual - now, min(asked or 0, SILENCE_SECONDS))
        if pause > 0:
            self._patience.sleep(min(pause, self.left()))


class Waiter:
    """Looks at a job until it has ended, by the API's long poll as far as it has one."""

    def __init__(
        self, connection: Connection, path: str, read: Callable[[object], Job], clock: Clock
    ) -> None:
        self._connection, self._path, self._read, self._clock = connection, path, read, clock
        self._long = True
        self._etag = ""
        self._asked: float | None = None

    def states(self) -> Iterator[Job]:
        """Yield the job as it is, then whenever it is another, up to its end.

        Raises:
            TookTooLong: the time is over.
            ApiUnreachable, ApiError: the server was away for half a minute, or refused.
        """
        last: Job | None = None
        while last is None or not last.is_final:
            began = self._connection.patience.clock()
            job = self._look(self._clock.left(), last)
            if job and job != last:
                last = job
                yield job
            if last is None or not last.is_final:
                self._clock.pace(began, self._asked)

    def _look(self, left: float, last: Job | None) -> Job | None:
        """Return the job; None if it has not changed, or the server is away for a moment."""
        seconds = int(min(left, LONGEST_WAIT_SECONDS)) if self._long and last else 0
        request = {
            "params": {"wait": seconds} if seconds else {},
            "headers": {"If-None-Match": self._etag} if self._etag else {},
            "timeout": self._connection.timeout + seconds,
        }
        self._asked = None
        try:
            answer = self._connection.send("GET", self._path, **request)
        except ClientError as error:
            self._fall_back(error, seconds)
            return None
        self._clock.heard()
        if answer.status == 304:
            return None
        self._etag = answer.headers.get("ETag", "")
        return self._read(answer.document)

    def _fall_back(self, error: ClientError, seconds: int) -> None:
        status = error.status if isinstance(error, ApiError) else 0
        if seconds and status in {400, 429}:
            # The server knows no waiting, or has too many who wait: ask without, then.
            self._long = False
            self._clock.heard()
            return
        self._clock.bear(error)
        self._asked = error.retry_after if isinstance(error, ApiError) else None


class Stream:
    """A job's events, across as many connections as it takes."""

    def __init__(self, connection: Connection, path: str, last_id: str, clock: Clock) -> None:
        self._connection, self._path, self._clock = connection, path, clock
        self._last_id = last_id
        self._ended = False

    def events(self) -> Iterator[Event]:
        """Yield every event once, up to `Ended`; raise as `Waiter.states` does."""
        while not self._ended:
            began = self._connection.patience.clock()
            asked = None
            try:
                yield from self._connected()
            except (ApiError, ApiUnreachable) as error:
                self._clock.bear(error)
                asked = error.retry_after if isinstance(error, ApiError) else None
            if not self._ended:
                self._clock.pace(began, asked)

    def _connected(self) -> Iterator[Event]:
        """Yield the events of one connection, which the server ends after a minute."""
        left = self._clock.left()
        headers = {"Accept": "text/event-stream"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        timeout = (self._connection.timeout, min(STREAM_SILENCE_SECONDS, left))
        answer = self._connection.open(
            "GET", self._path, headers=headers, stream=True, timeout=timeout
        )
        with closing(answer):
            self._clock.heard()
            if answer.status_code == 204:  # there is nothing more to tell
                self._ended = True
                return
            if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise UnexpectedAnswer(
                    f"{self._connection.url} answered without events; check the URL."
                )
            yield from self._told(answer)

    def _told(self, answer: requests.Response) -> Iterator[Event]:
        try:
            for event in read_events(self._chunks(answer)):
                self._last_id = event.id
                self._ended = isinstance(event, Ended)
                yield event
                if self._ended:
                    return
        except requests.RequestException as error:
            raise ApiUnreachable(f"The stream broke off: {reason(error)}.") from error
        except ValueError as error:
            raise UnexpectedAnswer(f"{self._connection.url} told {error}.") from error

    def _chunks(self, answer: requests.Response) -> Iterator[bytes]:
        # Without chunks of the server's own, more than a byte would be waited for.
        size = None if getattr(answer.raw, "chunked", False) else 1
        for chunk in answer.iter_content(size):
            self._clock.heard()
            self._clock.left()
            yield chunk
