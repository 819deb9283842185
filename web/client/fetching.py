"""How a file is fetched whole: checked against all that is told of it, resumed where it broke."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import IO, Any

import requests

from web.answers import Output
from web.client.connection import Connection, reason, retry_after
from web.client.errors import ApiError, DownloadFailed

CHUNK_BYTES = 256 * 1024

MOST_ATTEMPTS = 100
"""How often a download may break off in all, though each attempt gets further."""

_SHA_256 = re.compile('"([0-9a-f]{64})"')
_STARTS_AT = re.compile(r"bytes (\d{1,19})-", re.ASCII)


class _BrokeOff(Exception):
    """An attempt ended early; `error` is the refusal, if it was one."""

    def __init__(self, why: str, error: ApiError | None = None) -> None:
        super().__init__(why)
        self.error = error


@dataclass
class Fetch:
    """One file on its way to disk; `ours` says that the API itself serves it."""

    connection: Connection
    output: Output
    address: str
    file: IO[bytes]
    ours: bool
    etag: str = field(default="", init=False)

    def run(self) -> None:
        """Fetch the file, resuming where an attempt broke off, and check it.

        Raises:
            DownloadFailed: it did not arrive, or not as it was told to be.
            OSError: the disk did not take it.
        """
        failures, reached = 0, 0
        for _ in range(MOST_ATTEMPTS):
            try:
                self._attempt()
                self._check()
                return
            except _BrokeOff as error:
                # attempts count while none gets further: a long file may break off often
                failures = 1 if self.file.tell() > reached else failures + 1
                reached = max(reached, self.file.tell())
                if not self.connection.patience.pause(failures, error.error):
                    raise DownloadFailed(str(error)) from error
        raise DownloadFailed(f"{self.output.filename!r} broke off {MOST_ATTEMPTS} times.")

    def _attempt(self) -> None:
        # No key here: the URL is signed, and may lead to somebody else's host.
        request: dict[str, Any] = {"headers": self._headers(), "auth": _unsigned, "stream": True}
        timeout = self.connection.timeout
        name = self.output.filename
        try:
            with self.connection.session.get(self.address, timeout=timeout, **request) as answer:
                self._begin(answer)
                for chunk in answer.iter_content(CHUNK_BYTES):
                    self.file.write(chunk)
                    self._check_length(self.file.tell(), most=True)
        except requests.exceptions.ContentDecodingError as error:
            raise DownloadFailed(f"The download of {name!r} cannot be decoded.") from error
        except requests.RequestException as error:
            raise _BrokeOff(f"The download of {name!r} broke off: {reason(error)}.") from error

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}  # ranges count the bytes as they are sent
        if self.etag and self.file.tell():
            headers |= {"Range": f"bytes={self.file.tell()}-", "If-Range": self.etag}
        return headers

    def _begin(self, answer: requests.Response) -> None:
        """Make ready for what the answer holds: the rest of the file, or all of it."""
        if not answer.ok:
            self._refuse(answer)
        start = _STARTS_AT.match(answer.headers.get("Content-Range", ""))
        if answer.status_code == 206 and start and int(start[1]) == self.file.tell():
            return
        self.file.seek(0)
        self.file.truncate()
        if answer.status_code == 206:
            self.etag = ""
            raise _BrokeOff(f"The address of {self.output.filename!r} sent another part.")
        told = answer.headers.get("ETag", "")
        plain = answer.headers.get("Content-Encoding", "identity") == "identity"
        # a weak one says nothing of the bytes, so it is no ground to go on from (RFC 9110)
        self.etag = told if plain and not told.startswith("W/") else ""

    def _refuse(self, answer: requests.Response) -> None:
        status = answer.status_code
        why = f"The address of {self.output.filename!r} answered HTTP {status}."
        if status == 416:
            self.etag = ""  # what there is does not fit: from the start, then
        elif status not in {429, 502, 503, 504}:
            raise DownloadFailed(why)
        asked = retry_after(answer.headers)
        raise _BrokeOff(why, ApiError(status, why, retry_after=asked))

    def _check(self) -> None:
        self._check_length(self.file.tell())
        # An older API does not tell it, but has it as the ETag of the files that it serves.
        served = _SHA_256.fullmatch(self.etag) if self.ours else None
        expected = self.output.sha256 or (served and served[1])
        if not expected:
            return
        self.file.seek(0)
        if hashlib.file_digest(self.file, "sha256").hexdigest() != expected:  # type: ignore[arg-type]  # it is open for both
            raise DownloadFailed(f"{self.output.filename!r} did not arrive as it was stored.")

    def _check_length(self, received: int, *, most: bool = False) -> None:
        size = self.output.size_bytes
        if size is None or received == size or (most and received < size):
            return
        raise DownloadFailed(f"{self.output.filename!r} has {size} bytes, but {received} arrived.")


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
