"""One client's connection to the API: requests with its key, sent again where that helps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from web.client.errors import ApiError, ApiUnreachable, ClientError, UnexpectedAnswer, may_pass

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Patience:
    """How often a request is sent in all, and the seconds between.

    Each pause is twice the one before. A server that asks for a longer one (Retry-After) gets
    it; one that asks for more than `longest_pause` has its refusal told at once.
    """

    attempts: int = 4
    first_pause: float = 0.25
    longest_pause: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def pause(self, failures: int, error: Exception | None = None) -> bool:
        """Sleep after so many failures; False, at once, if another attempt is no use."""
        asked = error.retry_after if isinstance(error, ApiError) else None
        if failures >= self.attempts or (asked or 0) > self.longest_pause:
            return False
        usual = min(self.first_pause * 2 ** (failures - 1), self.longest_pause)
        self.sleep(max(usual, asked or 0))
        return True


@dataclass(frozen=True)
class Answer:
    """What the API answered; 204 and 304 have no document."""

    status: int
    headers: requests.structures.CaseInsensitiveDict[str]
    document: dict[str, Any]


class Connection:
    """Sends requests to the API at `url`; each attempt ends within `timeout` s of silence."""

    def __init__(self, url: str, key: str | None, *, timeout: float, patience: Patience) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.patience = patience
        self.session = requests.Session()
        # A proxy named in the environment cannot reach this machine's own loopback.
        self.session.trust_env = not is_loopback(url)
        self._key = key

    def call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Send a request, again if it may help, and return the answer's document.

        A caller that sends anything but a look has made sure that twice is as good as once.

        Raises:
            ApiUnreachable, ApiError, UnexpectedAnswer: as of the last attempt.
        """
        failures = 0
        while True:
            try:
                return self.send(method, path, **request).document
            except ClientError as error:
                failures += 1
                if not may_pass(error) or not self.patience.pause(failures, error):
                    raise

    def send(self, method: str, path: str, **request: Any) -> Answer:
        """Send a request once; raise as `call` does."""
        answer = self.open(method, path, **request)
        try:
            document = _document(answer)
        except requests.RequestException as error:
            raise self._unreachable(error) from error
        status = answer.status_code
        if status not in {204, 304} and (status >= 300 or document is None):
            raise UnexpectedAnswer(
                f"{self.url} answered HTTP {status}, but not as the job API does; check the URL."
            )
        return Answer(status, answer.headers, document or {})

    def open(self, method: str, path: str, **request: Any) -> requests.Response:
        """Send a request once and return the answer, maybe unread; raise if it is a refusal."""
        try:
            answer = self.session.request(
                method,
                self.url + path,
                auth=self._authorize,
                allow_redirects=False,
                **{"timeout": self.timeout} | request,
            )
            if answer.status_code >= 400:
                raise _refusal(answer)
        except requests.RequestException as error:
            raise self._unreachable(error) from error
        return answer

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth`, not as a header: an entry in ~/.netrc would replace the header.
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _unreachable(self, error: requests.RequestException) -> ApiUnreachable:
        return ApiUnreachable(f"No answer from {self.url}: {reason(error)}.")


def is_loopback(url: str) -> bool:
    """Tell whether the URL names this machine's loopback interface."""
    return urlsplit(url).hostname in LOOPBACK


def reason(error: requests.RequestException) -> str:
    """Say in a few words why there was no whole answer."""
    if isinstance(error, requests.Timeout):
        return "it took too long"
    if isinstance(error, requests.ConnectionError):
        return "the connection failed"
    return type(error).__name__


def retry_after(headers: requests.structures.CaseInsensitiveDict[str]) -> float | None:
    """Return the seconds in Retry-After, the form our API uses; None without."""
    try:
        seconds = float(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _document(answer: requests.Response) -> dict[str, Any] | None:
    try:
        document = answer.json()
    except requests.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _refusal(answer: requests.Response) -> ApiError:
    told = _document(answer) or {}
    return ApiError(
        answer.status_code,
        str(told.get("title") or "The server refused the request"),
        str(told.get("detail") or ""),
        [each for each in told.get("errors") or () if isinstance(each, dict)],
        code=str(told.get("code") or ""),
        retry_after=retry_after(answer.headers),
    )
