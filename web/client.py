"""A typed client of the job API, for our command line and for other Python programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote, urljoin, urlsplit

import requests

from web.answers import Job, Output, Page, read_job
from web.downloads import keep, partial_file, safe_name

CHUNK_BYTES = 256 * 1024

STORING_SECONDS = 120.0
"""How long the API may take to answer a submission whose files it has to store first."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ClientError(Exception):
    """What went wrong between this client and the API; the message is fit to be shown."""


class ApiUnreachable(ClientError):
    """Nothing answered at the URL, or not within the timeout."""


class UnexpectedAnswer(ClientError):
    """Something answered, but not as this API does."""


class DownloadFailed(ClientError):
    """An output could not be fetched whole or written to disk."""


class ApiError(ClientError):
    """The API refused a request and said why (RFC 9457)."""

    def __init__(
        self, status: int, title: str, detail: str = "", errors: Sequence[Mapping[str, str]] = ()
    ) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """Say everything the API said, one problem a line."""
        first = f"{self.detail or self.title} (HTTP {self.status})"
        problems = [
            f"  {each.get('pointer', '')}: {each.get('detail', '')}" for each in self.errors
        ]
        return "\n".join([first, *problems])


class JobsClient:
    """Calls the job API at `url`; every call ends within `timeout` seconds of silence.

    A submission with files may take longer: they are stored before it is answered.

    Every method raises `ApiUnreachable`, `ApiError` or `UnexpectedAnswer`.
    """

    def __init__(self, url: str, key: str | None, *, timeout: float = 10.0) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._session = requests.Session()
        # A proxy named in the environment cannot reach this machine's own loopback.
        self._session.trust_env = not is_loopback(url)
        self._key = key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections kept open."""
        self._session.close()

    def submit(
        self,
        workflow: Mapping[str, Any],
        *,
        inputs: Sequence[Mapping[str, Any]] = (),
        media: Sequence[Mapping[str, Any]] = (),
        temp_outputs: bool = False,
        user_id: str | None = None,
        webhook_url: str | None = None,
        webhook_events: Sequence[str] = (),
    ) -> Job:
        """Submit a workflow; `inputs` are overrides and `media` files as the API takes them.

        With `temp_outputs`, what nodes only show is kept beside what they save. The job's end is
        told at `webhook_url`, or whichever `webhook_events` are named.
        """
        body: dict[str, Any] = {"workflow": workflow, "inputs": list(inputs)}
        if media:
            body["media"] = list(media)
        if temp_outputs:
            body["temp_outputs"] = True
        if user_id is not None:
            body["user_id"] = user_id
        if webhook_url is not None:
            body["webhook_url"] = webhook_url
        if webhook_events:
            body["webhook_events"] = list(webhook_events)
        patience = max(self._timeout, STORING_SECONDS) if media else self._timeout
        return _job(self._call("POST", "/v1/jobs", json=body, timeout=patience))

    def get(self, job_id: str) -> Job:
        """Return the job as it is now."""
        return _job(self._call("GET", f"/v1/jobs/{quote(job_id, safe='')}"))

    def cancel(self, job_id: str) -> Job:
        """Ask for the job to be cancelled; a finished job is returned as it ended."""
        return _job(self._call("DELETE", f"/v1/jobs/{quote(job_id, safe='')}"))

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
            "status": list(statuses) or None,
            "user_id": user_id,
            "limit": limit,
            "after": after,
        }
        answer = self._call("GET", "/v1/jobs", params=query)
        if not isinstance(answer.get("jobs"), list):
            raise UnexpectedAnswer(f"{self.url} answered without a list of jobs.")
        return Page(tuple(_job(each) for each in answer["jobs"]), answer.get("next"))

    def download(self, output: Output, directory: Path) -> Path:
        """Write a file output into `directory` and return its path.

        The file appears whole or not at all. An existing file is kept: the new one gets a
        number. The name the API gives never leads out of `directory`.

        Raises:
            DownloadFailed: the file did not arrive whole, or could not be written.
        """
        if output.url is None:
            raise DownloadFailed(f"{output.filename!r} is not a file; it has no address.")
        name = safe_name(output.filename)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with partial_file(directory) as (partial, file):
                self._fetch(name, urljoin(self.url + "/", output.url), file)
                _check_size(output, file.tell())
                file.close()
                return keep(partial, directory, name)
        except OSError as error:
            raise DownloadFailed(f"Could not write {name!r} to {directory}: {error}") from error

    def _fetch(self, name: str, address: str, file: IO[bytes]) -> None:
        # No key here: the URL is signed, and may lead to somebody else's host.
        try:
            with self._session.get(
                address, stream=True, timeout=self._timeout, auth=_unsigned
            ) as answer:
                if not answer.ok:
                    status = answer.status_code
                    raise DownloadFailed(f"The address of {name!r} answered HTTP {status}.")
                for chunk in answer.iter_content(CHUNK_BYTES):
                    file.write(chunk)
        except requests.RequestException as error:
            raise DownloadFailed(
                f"The download of {name!r} broke off: {_reason(error)}."
            ) from error

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth`, not as a header: an entry in ~/.netrc would replace the header.
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            answer = self._session.request(
                method,
                self.url + path,
                auth=self._authorize,
                allow_redirects=False,
                **{"timeout": self._timeout} | request,
            )
        except requests.RequestException as error:
            raise ApiUnreachable(f"No answer from {self.url}: {_reason(error)}.") from error
        document = _document(answer)
        if answer.status_code >= 400:
            raise _refusal(answer.status_code, document)
        if answer.status_code >= 300 or document is None:
            raise UnexpectedAnswer(
                f"{self.url} answered HTTP {answer.status_code}, but not as the job API does; "
                "check the URL."
            )
        return document


def is_loopback(url: str) -> bool:
    """Tell whether the URL names this machine's loopback interface."""
    return urlsplit(url).hostname in LOOPBACK


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _check_size(output: Output, received: int) -> None:
    if output.size_bytes is not None and received != output.size_bytes:
        raise DownloadFailed(
            f"{output.filename!r} has {output.size_bytes} bytes, but {received} arrived."
        )


def _document(answer: requests.Response) -> dict[str, Any] | None:
    try:
        document = answer.json()
    except requests.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _refusal(status: int, problem: dict[str, Any] | None) -> ApiError:
    told = problem or {}
    errors = [each for each in told.get("errors") or () if isinstance(each, dict)]
    title = str(told.get("title") or "The server refused the request")
    return ApiError(status, title, str(told.get("detail") or ""), errors)


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "it took too long"
    if isinstance(error, requests.ConnectionError):
        return "the connection failed"
    return type(error).__name__


def _job(document: Any) -> Job:
    try:
        return read_job(document)
    except ValueError as error:
        raise UnexpectedAnswer("The server's answer is not a job; check the URL.") from error
