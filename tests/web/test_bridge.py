from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from flask import Flask, Response, request, stream_with_context

from tests.waiting import eventually
from web.bridge import Bridge, Message
from web.waiting import DISCONNECTED, STOPPING, pointless

MOST = 3 * 2**20


@dataclass
class Client:
    """One connection: what it sends, and what has come back by now."""

    sends: list[Message] = field(default_factory=lambda: [{"type": "http.request"}])
    reads: int | None = None
    got: list[Message] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Message:
        if self.sends:
            return self.sends.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.reads is not None and len(self.got) >= self.reads:
            await self.gone.wait()
            await asyncio.sleep(3600)  # a buffer that nobody empties any more
        self.got.append(message)

    @property
    def status(self) -> int:
        status: int = self.got[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.got[1:])


def scope(path: str = "/", **changes: Any) -> Message:
    usual = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    return {**usual, **changes}


def ask(app: WSGIApplication, asked: Message, client: Client | None = None) -> Client:
    async def one() -> Client:
        met = client or Client()
        await Bridge(app, threads=2, most_bytes=MOST)(asked, met.receive, met.send)
        return met

    return asyncio.run(one())


def echo(app: Flask) -> Flask:
    @app.route("/echo", methods=["GET", "POST"])
    def answer() -> dict[str, Any]:
        return {
            "body": len(request.get_data()),
            "length": request.content_length,
            "path": request.path,
            "query": request.args.to_dict(),
            "header": request.headers.get("X-Thing"),
            "remote": request.remote_addr,
            "secure": request.is_secure,
        }

    return app


@pytest.fixture
def flask_app() -> Flask:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MOST
    return echo(app)


def parts_of(*pieces: bytes) -> list[Message]:
    last = len(pieces) - 1
    return [
        {"type": "http.request", "body": piece, "more_body": n < last}
        for n, piece in enumerate(pieces)
    ]


def test_a_request_arrives_with_all_that_it_says(flask_app: Flask) -> None:
    asked = scope(
        "/echo",
        query_string=b"a=%C3%A4&b=2",
        headers=[(b"x-thing", b"one"), (b"x-thing", b"two")],
        client=("203.0.113.9", 4711),
        scheme="https",
        server=("api.example.com", 443),
    )
    client = ask(flask_app, asked)
    answer = flask_app.json.loads(client.body)
    assert client.status == 200
    assert answer["query"] == {"a": "ä", "b": "2"}
    assert answer["header"] == "one,two"
    assert answer["remote"] == "203.0.113.9"
    assert answer["secure"]


def test_a_path_keeps_its_letters(flask_app: Flask) -> None:
    @flask_app.get("/ä")
    def umlaut() -> str:
        return request.path

    assert ask(flask_app, scope("/ä")).body.decode() == "/ä"


def test_a_header_with_an_underscore_cannot_pass_for_one_with_a_hyphen(flask_app: Flask) -> None:
    client = ask(flask_app, scope("/echo", headers=[(b"x_thing", b"forged")]))
    assert flask_app.json.loads(client.body)["header"] is None


def test_a_body_in_pieces_without_a_length_arrives_whole(flask_app: Flask) -> None:
    client = Client(sends=parts_of(b"a" * 2**20, b"b" * 2**20, b""))
    ask(flask_app, scope("/echo", method="POST"), client)
    answer = flask_app.json.loads(client.body)
    assert answer["body"] == answer["length"] == 2 * 2**20


def test_a_body_over_the_limit_is_refused_by_the_application(flask_app: Flask) -> None:
    client = Client(sends=parts_of(*[b"a" * 2**20] * 5))
    ask(flask_app, scope("/echo", method="POST"), client)
    assert client.status == 413


def test_an_answer_comes_in_the_pieces_in_which_it_was_made(flask_app: Flask) -> None:
    @flask_app.get("/stream")
    def stream() -> Response:
        return Response(iter(["one", "two"]))

    client = ask(flask_app, scope("/stream"))
    assert [message["body"] for message in client.got[1:]] == [b"one", b"two", b""]
    assert [message["more_body"] for message in client.got[1:]] == [True, True, False]


def test_an_empty_answer_still_has_a_head(flask_app: Flask) -> None:
    @flask_app.get("/nothing")
    def nothing() -> Response:
        return Response(status=204)

    client = ask(flask_app, scope("/nothing"))
    assert client.status == 204
    assert client.got[-1]["more_body"] is False


@dataclass
class Endless:
    """Writes for ever; says when it was closed."""

    closed: threading.Event = field(default_factory=threading.Event)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return self._pieces()

    def _pieces(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            self.closed.set()


async def open_and_leave(
    app: WSGIApplication, client: Client, ready: Callable[[], object]
) -> None:
    """Open a request, leave when it is under way, and wait until the server is done with it."""
    bridge = Bridge(app, threads=1, most_bytes=MOST)
    task = asyncio.create_task(bridge(scope(), client.receive, client.send))
    await asyncio.to_thread(eventually, ready)
    client.gone.set()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_client_that_reads_no_more_and_leaves_frees_the_thread() -> None:
    endless, client = Endless(), Client(reads=3)
    asyncio.run(open_and_leave(endless, client, lambda: len(client.got) == 3))
    assert endless.closed.wait(10)


def test_a_silent_stream_notices_that_its_client_has_left() -> None:
    app, closed = Flask(__name__), threading.Event()

    @app.get("/")
    def wait() -> Response:
        in_vain = pointless()

        def silence() -> Iterator[str]:
            try:
                yield "hello"
                eventually(in_vain, 30)
            finally:
                closed.set()

        return Response(stream_with_context(silence()))

    client = Client()

    async def leave() -> None:
        bridge = Bridge(app, threads=1, most_bytes=MOST)
        task = asyncio.create_task(bridge(scope(), client.receive, client.send))
        await asyncio.to_thread(eventually, lambda: len(client.got) >= 2)
        client.gone.set()
        await task

    asyncio.run(leave())
    assert closed.is_set()


def test_a_client_that_leaves_before_its_body_has_come_costs_no_thread() -> None:
    called = threading.Event()

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        called.set()
        return []

    half: list[Message] = [{"type": "http.request", "body": b"half", "more_body": True}]
    client = Client(sends=[*half, {"type": "http.disconnect"}])
    ask(app, scope(method="POST"), client)
    assert not called.is_set()
    assert client.got == []


def test_an_application_that_raises_is_reported_and_closes_what_it_had() -> None:
    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        ask(app, scope())


def test_requests_under_way_are_told_that_the_server_stops() -> None:
    stopping: list[Callable[[], bool]] = []

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        stopping.append(environ[STOPPING])
        assert not environ[STOPPING]()
        assert not environ[DISCONNECTED]()
        start("200 OK", [])
        return [b"ok"]

    async def live() -> list[str]:
        bridge = Bridge(app, threads=1, most_bytes=MOST)
        client, told = Client(), []
        await bridge(scope(), client.receive, client.send)
        life: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

        async def receive() -> Message:
            return life.pop(0)

        async def send(message: Message) -> None:
            told.append(message["type"])

        await bridge({"type": "lifespan"}, receive, send)
        return told

    assert asyncio.run(live()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert stopping[0]()
