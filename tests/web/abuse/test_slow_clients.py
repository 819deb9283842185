"""Clients that dawdle on a real server: the others are answered, and every thread comes back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from comfy_runner.bucket import open_bucket
from commands.http_server import THREADS
from settings import Settings
from tests.web.event_stream import Server, served
from tests.web.real_jobs import OUTPUT, RealApi, real_api

MANY = 2 * THREADS + 8
"""More clients than the server has threads, those of waiting requests too."""

POST = "POST /v1/jobs HTTP/1.1\r\nHost: x\r\n{}Content-Type: application/json\r\n"

KEY = "outputs/a/0/1-a.png"


@pytest.fixture
def real(settings: Settings) -> Iterator[RealApi]:
    with real_api(settings.replace(max_streams=8, max_streams_per_key=8)) as api:
        yield api


@pytest.fixture
def server(real: RealApi) -> Iterator[Server]:
    with served(real) as server:
        yield server
    left = [each.name for each in threading.enumerate() if each.name.startswith("waitress")]
    assert left == [], "threads are held by clients that have gone"


class Dawdlers:
    """Many raw connections to one server, which do only what they are told."""

    def __init__(self, server: Server, stack: ExitStack) -> None:
        self._server, self._stack = server, stack

    def connect(self, said: str, *, buffer_bytes: int = 0) -> socket.socket:
        """Open one connection that says this and then nothing; `{}` is where the key goes."""
        connection = self._stack.enter_context(socket.socket())
        if buffer_bytes:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.settimeout(20)
        port = int(self._server.url.rpartition(":")[2])
        connection.connect(("127.0.0.1", port))
        connection.sendall(said.format(f"Authorization: Bearer {self._server.key}\r\n").encode())
        return connection


@pytest.fixture
def dawdlers(server: Server) -> Iterator[Dawdlers]:
    with ExitStack() as stack:
        yield Dawdlers(server, stack)


def others_are_answered(server: Server) -> None:
    for path in ("/health", "/v1/jobs", "/openapi.json"):
        with server.get(path) as answer:
            assert answer.status_code == 200


def everything_of(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "said",
    [
        "",
        "G",
        "GET /v1/jobs HTTP/1.1\r\n",
        "GET /v1/jobs HTTP/1.1\r\nHost: x\r\n{}X-Slow: ",
        POST + 'Content-Length: 1000\r\n\r\n{{"workflow"',
        POST + "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["silent", "one byte", "no headers", "half a header", "half a body", "half a chunk"],
)
def test_a_request_that_never_ends_takes_no_thread(
    server: Server, dawdlers: Dawdlers, said: str
) -> None:
    for _ in range(MANY):
        dawdlers.connect(said)
    others_are_answered(server)


def test_a_request_that_comes_byte_by_byte_is_answered(dawdlers: Dawdlers) -> None:
    connection = dawdlers.connect("GET /v1/jobs HTTP/1.1\r\n")
    for byte in "Host: x\r\nConnection: close\r\n\r\n":
        connection.sendall(byte.encode())
        time.sleep(0.002)
    assert everything_of(connection).startswith(b"HTTP/1.1 401 ")


@pytest.fixture
def link(settings: Settings, tmp_path: Path) -> str:
    """The link to a file that is larger than all buffers on the way together."""
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.write(bytes(range(256)))
        file.truncate(24 * 2**20)
    bucket = open_bucket(settings)
    bucket.put(KEY, large, content_type="image/png", filename="a.png")
    return bucket.url(KEY, ttl_seconds=60)


def open_files() -> Iterator[str]:
    for each in list(Path("/proc/self/fd").iterdir()):
        with suppress(FileNotFoundError):  # closed while we look
            yield str(each.readlink())


def wait_until_nobody_reads_from(directory: Path) -> None:
    for _ in range(200):
        if not any(each.startswith(str(directory)) for each in open_files()):
            return
        time.sleep(0.05)
    pytest.fail("the file is still open for readers who have gone")


@pytest.mark.parametrize("asked", ["", "Range: bytes=0-\r\n", "Range: bytes=100-\r\n"])
def test_a_reader_who_stops_in_a_large_file_takes_no_thread(
    server: Server, dawdlers: Dawdlers, settings: Settings, link: str, asked: str
) -> None:
    begun = [
        dawdlers.connect(f"GET {link} HTTP/1.1\r\nHost: x\r\n{asked}\r\n") for _ in range(MANY)
    ]
    for each in begun:
        assert each.recv(10) == b"HTTP/1.1 2"
    others_are_answered(server)
    for each in begun:
        each.close()
    wait_until_nobody_reads_from(settings.data_dir / "files")


@pytest.mark.parametrize(
    ("asked", "first", "last"), [("100-199", 100, 199), ("0-0", 0, 0), ("240-", 240, None)]
)
def test_a_part_ends_where_it_should_and_the_connection_goes_on(
    server: Server, link: str, asked: str, first: int, last: int | None
) -> None:
    with requests.Session() as session:
        part = session.get(server.url + link, headers={"Range": f"bytes={asked}"}, timeout=20)
        assert part.status_code == 206
        length = (last + 1 if last is not None else 24 * 2**20) - first
        assert part.content[:16] == bytes(range(256))[first : first + 16][:length]
        assert len(part.content) == length
        assert session.get(server.url + "/health", timeout=20).json() == {"status": "ok"}


def stream_of(job_id: str) -> str:
    return f"GET /v1/jobs/{job_id}/events HTTP/1.1\r\nHost: x\r\n{{}}\r\n"


def wait_until_streams_are_free(server: Server, path: str) -> None:
    for _ in range(100):  # the server sees at its next look that its clients have gone
        with server.get(path) as answer:
            if answer.status_code == 200:
                return
        time.sleep(0.05)
    pytest.fail("the places of streams whose clients have gone were not given back")


def test_streams_that_nobody_reads_leave_the_others_alone(
    real: RealApi, server: Server, dawdlers: Dawdlers
) -> None:
    claimed = real.start(job_id := real.submit())
    kept = [dawdlers.connect(stream_of(job_id), buffer_bytes=4096) for _ in range(8)]
    for each in kept:
        assert each.recv(12) == b"HTTP/1.1 200"
    real.report(claimed, *[f"{number} " + "x" * 2000 for number in range(50)], outputs=[OUTPUT])
    others_are_answered(server)
    assert server.get(f"/v1/jobs/{job_id}/events").status_code == 429
    for each in kept:
        each.close()
    wait_until_streams_are_free(server, f"/v1/jobs/{job_id}/events")


def test_streams_of_clients_that_half_close_are_given_back(
    real: RealApi, server: Server, dawdlers: Dawdlers
) -> None:
    real.start(job_id := real.submit())
    kept = [dawdlers.connect(stream_of(job_id)) for _ in range(8)]
    for each in kept:
        assert each.recv(12) == b"HTTP/1.1 200"
        each.shutdown(socket.SHUT_WR)
    others_are_answered(server)
    wait_until_streams_are_free(server, f"/v1/jobs/{job_id}/events")


def test_clients_that_leave_in_the_midst_of_their_answers_take_nothing_along(
    real: RealApi, server: Server, dawdlers: Dawdlers
) -> None:
    job_id = real.submit()
    for _ in range(MANY):
        dawdlers.connect(f"GET /v1/jobs/{job_id} HTTP/1.1\r\nHost: x\r\n{{}}\r\n").close()
        dawdlers.connect(
            "POST /v1/jobs HTTP/1.1\r\nHost: x\r\n{}Content-Length: 9\r\n\r\n"
        ).close()
    others_are_answered(server)
