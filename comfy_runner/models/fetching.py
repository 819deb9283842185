"""Bytes from a server into a file, however often the connection breaks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential
from urllib3.exceptions import HTTPError

from comfy_runner.models.manifest import ModelsError
from comfy_runner.models.part import Part

_CHUNK_BYTES = 1024 * 1024
_AGAIN = frozenset({408, 425, 429})
_MOST_ATTEMPTS = 200

T = TypeVar("T")

OnBytes = Callable[[int], None]
"""Gets how many bytes of the file there are by now."""


@dataclass(frozen=True)
class Patience:
    """What a server may do before a connection is given up and made anew."""

    connect: float = 10.0
    """Seconds until it answers the call."""
    silence: float = 60.0
    """Seconds without a byte."""
    window: float = 60.0
    """Seconds after which it is looked at how many bytes came."""
    least_rate: float = 20_000.0
    """Bytes a second; slower than that is given up."""
    fruitless: int = 5
    """Attempts in a row that bring next to nothing, after which it is over."""
    pause: float = 1.0
    """Seconds before the second attempt; doubled for each further one, at most 30."""


@dataclass(frozen=True)
class Remote:
    """A file on a server, and all that is known of it before its bytes."""

    url: str
    identity: str
    """Changes with the content; parts of another one are of no use."""
    size: int | None = None
    etag: str | None = None
    sha256: str | None = None
    git_id: str | None = None
    commit: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """What to send; credentials are left out when it redirects to another host."""


class _Broken(Exception):
    """A connection ended early; `fruitful` tells whether it was worth making."""

    def __init__(self, message: str, *, fruitful: bool = False) -> None:
        super().__init__(message)
        self.fruitful = fruitful


def inspect(url: str, patience: Patience) -> Remote:
    """Ask a server about a file, by a GET that is not read: not all of them answer to HEAD.

    Raises:
        ModelsError: there is no such file, or no answer.
    """

    def ask() -> Remote:
        with _answers(url, {}, patience) as answer:
            _refuse(answer)
            length = answer.headers.get("Content-Length", "")
            etag = answer.headers.get("ETag", "")
            strong = etag if etag.startswith('"') else None
            changed = answer.headers.get("Last-Modified", "")
            identity = f"{url} {strong or changed} {length}"
            return Remote(
                url, identity, size=int(length) if length.isdecimal() else None, etag=strong
            )

    return _again(ask, patience, url)


def fetch(remote: Remote, part: Part, *, patience: Patience, on_bytes: OnBytes) -> None:
    """Bring `part` to its end, from where it is; the content is not checked here.

    Raises:
        ModelsError: the server refuses, or breaks off again and again. The part stays.
        OSError: the disk is full or broken.
    """

    def attempt() -> None:
        if remote.size is None or part.size != remote.size:
            _attempt(remote, part, patience, on_bytes)

    _again(attempt, patience, remote.url)


def _again(attempt: Callable[[], T], patience: Patience, url: str) -> T:
    retrying = Retrying(
        stop=_Fruitless(patience.fruitless),
        wait=wait_random_exponential(multiplier=patience.pause, max=30.0),
        retry=retry_if_exception_type(_Broken),
        reraise=True,
    )
    try:
        return retrying(attempt)
    except _Broken as error:
        told = f"{without_query(url)}: {error}, {patience.fruitless} times in a row"
        raise ModelsError(f"{told}; run the same again: what has arrived is kept") from error


class _Fruitless:
    """Stops after some attempts in a row that brought nothing."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._in_a_row = 0

    def __call__(self, state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        fruitful = isinstance(error, _Broken) and error.fruitful
        self._in_a_row = 0 if fruitful else self._in_a_row + 1
        return self._in_a_row >= self._most or state.attempt_number >= _MOST_ATTEMPTS


def _attempt(remote: Remote, part: Part, patience: Patience, on_bytes: OnBytes) -> None:
    before = part.size
    headers = dict(remote.headers)
    if before:
        headers["Range"] = f"bytes={before}-"
        if remote.etag:
            headers["If-Range"] = remote.etag
    try:
        with _answers(remote.url, headers, patience) as answer:
            if answer.status_code == 416:  # what is there is longer than the file
                part.restart()
                raise _Broken("the server has fewer bytes than were kept of an earlier try")
            _refuse(answer)
            if not _continues(answer, before):
                part.restart()
            for chunk in _chunks(answer, patience):
                part.write(chunk)
                on_bytes(part.size)
    except (requests.RequestException, HTTPError) as error:
        fruitful = part.size - before >= patience.least_rate * patience.window
        raise _Broken(reason(error), fruitful=fruitful) from error
    if remote.size is not None and part.size != remote.size:
        raise _Broken("the answer is not as long as the server said")


def _answers(url: str, headers: Mapping[str, str], patience: Patience) -> requests.Response:
    try:
        return requests.get(
            url,
            headers={"Accept-Encoding": "identity", **headers},
            stream=True,
            timeout=(patience.connect, patience.silence),
        )
    except requests.RequestException as error:
        raise _Broken(reason(error)) from error


def _refuse(answer: requests.Response) -> None:
    status = answer.status_code
    if status in {200, 206}:
        return
    if status >= 500 or status in _AGAIN:
        raise _Broken(f"the server answers HTTP {status}")
    where = without_query(answer.url)
    if status in {401, 403}:
        remedy = "its owner asks for an account; take the file from elsewhere or put it there"
        raise ModelsError(f"{where}: the server answers HTTP {status}: {remedy}")
    raise ModelsError(f"{where}: the server answers HTTP {status}; correct the address")


def _continues(answer: requests.Response, start: int) -> bool:
    told = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return answer.status_code == 206 and told is not None and int(told.group(1)) == start


def _chunks(answer: requests.Response, patience: Patience) -> Iterator[bytes]:
    """Yield bytes as they come; a server that only drips is given up like a silent one."""
    began, received = time.monotonic(), 0
    while chunk := answer.raw.read1(_CHUNK_BYTES, decode_content=False):
        yield chunk
        received += len(chunk)
        seconds = time.monotonic() - began
        if seconds >= patience.window:
            if received < patience.least_rate * seconds:
                raise requests.Timeout
            began, received = time.monotonic(), 0


def without_query(url: str) -> str:
    """Return an address without what may be a secret in it."""
    return re.sub(r"//[^/@]*@", "//", url.split("?", maxsplit=1)[0])


def reason(error: Exception) -> str:
    """Say in a few words why a connection was of no use."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its TLS certificate is not to be trusted"
    if isinstance(error, requests.ConnectTimeout):
        return "no connection could be made"
    if isinstance(error, requests.Timeout) or "imed out" in str(error):
        return "the server fell silent or sends next to nothing"
    if isinstance(error, requests.ConnectionError):
        return "no connection could be made"
    return "the answer broke off"
