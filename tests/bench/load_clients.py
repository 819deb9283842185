"""Clients by the dozen: each keeps its connection, and notes how long every answer took."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60

CLIENTS = 16
"""So many ask at the same time."""


@dataclass(frozen=True)
class Request:
    """What is sent; an answer with another status than `expected` is an error."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    expected: int = 200


@dataclass(frozen=True)
class Load:
    """How it went: milliseconds of the median and of 99 of 100, answers a second, errors."""

    p50: float
    p99: float
    per_second: float
    errors: int

    @classmethod
    def of(cls, seconds: Sequence[float], errors: int, elapsed: float) -> Load:
        """Sum up the answers that were no errors."""
        if len(seconds) < 2:
            return cls(float("nan"), float("nan"), 0.0, errors)
        ranks = statistics.quantiles(seconds, n=100, method="inclusive")
        return cls(ranks[49] * 1000, ranks[98] * 1000, len(seconds) / elapsed, errors)


@dataclass(frozen=True)
class Target:
    """A server under load, and the key that it wants."""

    url: str
    key: str

    def put_under(self, request: Request, count: int, clients: int = CLIENTS) -> Load:
        """Send the request so many times in all, spread over the clients."""
        shares = [count // clients + (number < count % clients) for number in range(clients)]
        began = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            found = list(pool.map(lambda share: self._ask(request, share), shares))
        elapsed = time.perf_counter() - began
        times = [each for part, _ in found for each in part]
        return Load.of(times, sum(errors for _, errors in found), elapsed)

    @contextmanager
    def streams(self, path: str, count: int) -> Iterator[Load]:
        """Hold so many event streams open during the block; the load is that of opening them.

        A stream is open when it has told its first event.
        """
        times: list[float] = []
        with ExitStack() as stack:
            began = time.perf_counter()
            for _ in range(count):
                connection = stack.enter_context(closing(self.connect()))
                if (took := self._open(connection, path)) is not None:
                    times.append(took)
            elapsed = time.perf_counter() - began
            yield Load.of(times, count - len(times), elapsed)

    def send(self, request: Request) -> Any:
        """Send it once; return the JSON of the answer, or raise RuntimeError."""
        with closing(self.connect()) as connection:
            status, content = self._talk(connection, request)
        if status != request.expected:
            raise RuntimeError(f"{request.path} answered {status}: {content[:500]!r}")
        return json.loads(content)

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection of its own, which is made by the first request."""
        parts = urlsplit(self.url)
        return http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS
        )

    def _ask(self, request: Request, count: int) -> tuple[list[float], int]:
        times: list[float] = []
        with closing(self.connect()) as connection:
            for _ in range(count):
                began = time.perf_counter()
                try:
                    status, _ = self._talk(connection, request)
                except (OSError, http.client.HTTPException):
                    connection.close()  # the next request makes it anew
                    continue
                if status == request.expected:
                    times.append(time.perf_counter() - began)
        return times, count - len(times)

    def _talk(self, connection: http.client.HTTPConnection, request: Request) -> tuple[int, bytes]:
        body = None if request.body is None else json.dumps(request.body)
        connection.request(request.method, request.path, body, self._headers(body))
        answer = connection.getresponse()
        return answer.status, answer.read()

    def _open(self, connection: http.client.HTTPConnection, path: str) -> float | None:
        began = time.perf_counter()
        try:
            connection.request("GET", path, headers=self._headers(None))
            answer = connection.getresponse()
            told = answer.readline() if answer.status == 200 else b""
        except (OSError, http.client.HTTPException):
            return None
        return time.perf_counter() - began if told else None

    def _headers(self, body: str | None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.key}"}
        return headers if body is None else headers | {"Content-Type": "application/json"}
