"""Server-Sent Events as a client reads them from a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from commands.http_server import listen, serve_http, url_of
from tests.web.real_jobs import RealApi


@dataclass(frozen=True)
class Told:
    """One event, or a comment or retry, whose name is then what it begins with."""

    name: str
    data: Any = None
    id: str = ""


def events(answer: requests.Response) -> Iterator[Told]:
    """Yield what a stream tells, up to its end."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines(chunk_size=1, decode_unicode=True):
        if line:
            name, _, value = line.partition(": ")
            fields[name or "comment"] = value
            continue
        if "event" in fields:
            yield Told(fields["event"], json.loads(fields["data"]), fields["id"])
        else:
            yield Told(*fields)
        fields = {}


@dataclass(frozen=True)
class Server:
    """A real server with the API, and requests to it."""

    url: str
    key: str

    def get(self, path: str, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["Authorization"] = f"Bearer {self.key}"
        return requests.get(self.url + path, headers=named, stream=True, timeout=30)


@contextmanager
def served(real: RealApi, *, waiting: int = 8) -> Iterator[Server]:
    """Serve the API on loopback during the block."""
    with listen("127.0.0.1", 0) as socket, serve_http(real.app, socket, waiting=waiting):
        key = str(real.client.environ_base["HTTP_AUTHORIZATION"]).partition(" ")[2]
        yield Server(url_of("127.0.0.1", socket), key)
