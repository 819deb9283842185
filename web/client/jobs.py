"""The client itself: every operation of the job API as a method with typed answers."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import quote, urljoin, urlsplit

from web.answers import (
    Job,
    Judgement,
    NamedWorkflow,
    Output,
    Page,
    UsedBy,
    read_job,
    read_judgement,
    read_workflow,
)
from web.client.connection import Connection, Patience
from web.client.errors import DownloadFailed, UnexpectedAnswer
from web.client.events import Event
from web.client.fetching import Fetch
from web.client.following import Clock, Stream, Waiter
from web.client.submitting import Choices, body_of
from web.client.summing import Span, sum_up
from web.downloads import keep, partial_file, safe_name

STORING_SECONDS = 120.0
"""How long the API may take to answer a submission whose files it has to store first."""

DAY_SECONDS = 24 * 3600.0

Read = TypeVar("Read")


class JobsClient:
    """Calls the job API at `url`; every attempt ends within `timeout` seconds of silence.

    A submission with files may take longer: they are stored before it is answered. What fails
    for a moment (no connection, 429, 502, 503, 504) is sent again as `patience` has it.

    Every method raises `ApiUnreachable`, `ApiError` or `UnexpectedAnswer`.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        timeout: float = 10.0,
        patience: Patience = Patience(),  # noqa: B008 (it is frozen)
    ) -> None:
        self._connection = Connection(url, key, timeout=timeout, patience=patience)
        self.url = self._connection.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections kept open."""
        self._connection.session.close()

    def submit(
        self,
        workflow: Mapping[str, Any] | str,
        *,
        idempotency_key: str | None = None,
        **choices: Unpack[Choices],
    ) -> Job:
        """Submit a workflow, or the one the app ships under that name; return the queued job.

        However often it has to be sent, there is one job: all attempts carry one
        Idempotency-Key. Give your own (1 to 200 visible ASCII characters) to be as sure after a
        crash of your program.
        """
        body = body_of(workflow, choices)
        return self._send_once("/v1/jobs", body, idempotency_key)

    def validate(self, workflow: Mapping[str, Any] | str, **choices: Unpack[Choices]) -> Judgement:
        """Ask whether a submission would be accepted; raise its `ApiError` (422) if not."""
        body = body_of(workflow, choices)
        answer = self._connection.call("POST", "/v1/workflows/validate", json=body)
        return _read(read_judgement, answer)

    def workflows(self) -> tuple[NamedWorkflow, ...]:
        """Return the workflows that can be submitted by name."""
        answer = self._connection.call("GET", "/v1/workflows")
        return tuple(_read(read_workflow, each) for each in self._listed(answer, "workflows"))

    def get(self, job_id: str) -> Job:
        """Return the job as it is now."""
        return _job(self._connection.call("GET", _path(job_id)))

    def wait(
        self,
        job_id: str,
        *,
        seconds: float = DAY_SECONDS,
        show: Callable[[Job], object] = lambda _: None,
    ) -> Job:
        """Return the job once it has ended; `show` gets every state seen, the last too.

        The API holds its answers back until something changes. If it does not, it is asked ten
        times a second at first, then less and less, down to once a second. A server that does
        not answer for 30 seconds (time for a restart) ends the wait with its error.

        Raises:
            TookTooLong: the job had not ended after `seconds`.
        """
        clock = Clock(self._connection, job_id, seconds)
        for job in Waiter(self._connection, _path(job_id), _job, clock).states():
            show(job)
        return job

    def stream(
        self, job_id: str, *, seconds: float = DAY_SECONDS, last_event_id: str = ""
    ) -> Iterator[Event]:
        """Yield what happens to the job, from a `Snapshot` on, up to `Ended`.

        A stream that breaks off is taken up where it was; with `last_event_id`, the `id` of an
        event, so is that of an earlier call. Nothing is told twice.

        Raises:
            TookTooLong: the job had not ended after `seconds`.
        """
        clock = Clock(self._connection, job_id, seconds)
        return Stream(self._connection, _path(job_id, "/events"), last_event_id, clock).events()

    def logs(self, job_id: str) -> tuple[str, ...]:
        """Return the lines of the job's log."""
        headers = {"Accept": "application/json"}
        answer = self._connection.call("GET", _path(job_id, "/logs"), headers=headers)
        return tuple(map(str, self._listed(answer, "logs")))

    def retry(self, job_id: str, *, idempotency_key: str | None = None) -> Job:
        """Send an ended job again, as a new job; one job comes of it, as of `submit`."""
        return self._send_once(_path(job_id, "/retry"), {}, idempotency_key)

    def cancel(self, job_id: str) -> Job:
        """Ask for the job to be cancelled; a finished job is returned as it ended."""
        return _job(self._connection.call("DELETE", _path(job_id)))

    def purge(self, job_id: str) -> None:
        """Delete the record and the files of an ended job.

        It is sent once: a second attempt could not tell a deleted job from one that never was.
        """
        self._connection.send("DELETE", _path(job_id), params={"purge": "true"})

    def list(
        self,
        *,
        statuses: Sequence[str] = (),
        user_id: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page:
        """Return up to `limit` (1 to 200) jobs, newest first."""
        query = {
            "status": [*statuses] or None,
            "user_id": user_id,
            "limit": limit,
            "after": after,
        }
        answer = self._connection.call("GET", "/v1/jobs", params=query)
        return Page(tuple(map(_job, self._listed(answer, "jobs"))), answer.get("next"))

    def usage(self, *, by: str = "user", **span: Unpack[Span]) -> tuple[UsedBy, ...]:
        """Add up what ended jobs have used, by ``user``, ``day`` or ``gpu``; see `Span`.

        With a key that is bound to a user they are that user's.
        """
        return sum_up(
            lambda query: self._connection.call("GET", "/v1/usage", params=query), by, span
        )

    def download(self, output: Output, directory: Path) -> Path:
        """Write a file output into `directory` and return its path.

        The file appears whole or not at all: its size and its SHA-256 are checked. A download
        that breaks off goes on from there. An existing file is kept: the new one gets a number.
        The name the API gives never leads out of `directory`.

        Raises:
            DownloadFailed: the file did not arrive whole, or could not be written.
        """
        if output.url is None:
            raise DownloadFailed(f"{output.filename!r} is not a file; it has no address.")
        name = safe_name(output.filename)
        address = urljoin(self.url + "/", output.url)
        ours = urlsplit(address)[:2] == urlsplit(self.url)[:2]
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with partial_file(directory) as (partial, file):
                Fetch(self._connection, output, address, file, ours).run()
                file.close()
                return keep(partial, directory, name)
        except OSError as error:
            raise DownloadFailed(f"Could not write {name!r} to {directory}: {error}") from error

    def _send_once(self, path: str, body: Mapping[str, Any], key: str | None) -> Job:
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        timeout = self._connection.timeout
        if body.get("media"):
            timeout = max(timeout, STORING_SECONDS)
        answer = self._connection.call("POST", path, json=body, headers=headers, timeout=timeout)
        return _job(answer)

    def _listed(self, answer: Mapping[str, Any], name: str) -> Sequence[Any]:
        listed = answer.get(name)
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise UnexpectedAnswer(f"{self.url} answered without a list of {name}.")
        return listed


def _path(job_id: str, rest: str = "") -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}{rest}"


def _read(read: Callable[[Any], Read], document: Any) -> Read:
    try:
        return read(document)
    except ValueError as error:
        raise UnexpectedAnswer(f"{str(error).capitalize()}; check the URL.") from error


def _job(document: object) -> Job:
    return _read(read_job, document)
