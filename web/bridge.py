"""The application for servers that speak ASGI, as Modal's do: WSGI in threads, minding the client.

Modal's own bridge leaves a thread blocked for good when a client goes away in the middle of an
answer. Here the application's next write raises instead, and so its threads come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from web.waiting import DISCONNECTED, STOPPING

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]

IN_MEMORY = 2**20
"""Bytes of a request body that are kept in memory; longer ones lie in a temporary file."""

BODY_SECONDS = 120.0
"""How long a request body may take to arrive: a slow sender holds no thread, but a connection."""

AHEAD = 8
"""Pieces of an answer that may wait for a slow client before the application has to wait."""

LOOK_SECONDS = 0.5
"""How often a thread that waits for a slow client looks whether it is still there."""


class ClientGone(BrokenPipeError):
    """Nobody reads this answer any more."""


class Bridge:
    """An ASGI application that carries out each request in a thread of `app`.

    A request's body is taken in whole before a thread is given to it, at most `most_bytes` of
    it; beyond that the application sees a length over its own limit, and refuses it.
    """

    def __init__(self, app: WSGIApplication, *, threads: int, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._pool = ThreadPoolExecutor(threads, "request")
        self._stopping = threading.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or take part in the server's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.shutdown":
                self._stopping.set()
                self._pool.shutdown(wait=False)
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    length = await self._take_in(receive, body)
            except TimeoutError:
                await _refuse_slow(send)
                return
            except ClientGone:
                return
            body.seek(0)
            exchange = Exchange(asyncio.get_running_loop())
            environ = environ_of(scope, body, length)
            environ[DISCONNECTED] = exchange.gone.is_set
            environ[STOPPING] = self._stopping.is_set
            await self._exchange(exchange, environ, receive, send)

    async def _take_in(self, receive: Receive, body: IO[bytes]) -> int:
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece = message.get("body", b"")
            if length <= self._most_bytes:
                body.write(piece)
            length += len(piece)
            if not message.get("more_body"):
                return length

    async def _exchange(
        self, exchange: Exchange, environ: WSGIEnvironment, receive: Receive, send: Send
    ) -> None:
        run = functools.partial(contextvars.copy_context().run, exchange.run, self._app, environ)
        work = asyncio.get_running_loop().run_in_executor(self._pool, run)
        watch = asyncio.create_task(exchange.watch(receive))
        try:
            while (message := await exchange.messages.get()) is not None:
                await send(message)
            await work
        finally:
            exchange.gone.set()
            watch.cancel()
            # the body's file must outlive the thread that may be reading it
            await asyncio.shield(_over(work))


@dataclass(frozen=True)
class Exchange:
    """One request's thread and the connection it answers, which know of each other's end."""

    loop: asyncio.AbstractEventLoop
    gone: threading.Event = field(default_factory=threading.Event)
    messages: asyncio.Queue[Message | None] = field(default_factory=lambda: asyncio.Queue(AHEAD))

    async def watch(self, receive: Receive) -> None:
        """Notice that the client goes away: the next message after the body says so."""
        while (await receive())["type"] != "http.disconnect":
            continue
        self.gone.set()

    def run(self, app: WSGIApplication, environ: WSGIEnvironment) -> None:
        """Carry out the request in this thread; what it has answered is closed in any case."""
        pieces: Iterable[bytes] = ()
        started = _Started(self._push)
        try:
            with contextlib.suppress(ClientGone):
                pieces = app(environ, started)
                for piece in pieces:
                    started.write(piece)
                started.finish()
        finally:
            close = getattr(pieces, "close", None)
            if close:
                close()
            self._put(None)

    def _push(self, message: Message) -> None:
        if self.gone.is_set() or not self._put(message):
            raise ClientGone

    def _put(self, message: Message | None) -> bool:
        """Hand a message over, and wait for room; False: nobody takes it any more."""
        handed: Future[None] = asyncio.run_coroutine_threadsafe(
            self.messages.put(message), self.loop
        )
        while True:
            try:
                handed.result(LOOK_SECONDS)
            except TimeoutError:
                if self.gone.is_set():
                    handed.cancel()
                    return False
            else:
                return True


class _Started:
    """The `start_response` of one request; the head goes out with the first piece of the body."""

    def __init__(self, push: Callable[[Message], None]) -> None:
        self._push = push
        self._head: Message | None = None
        self._sent = False

    def __call__(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: ExcInfo | None = None,
        /,
    ) -> Callable[[bytes], object]:
        if exc_info and self._sent and exc_info[1]:
            raise exc_info[1]  # as PEP 3333 demands: half an answer is out already
        encoded = [(name.lower().encode("latin-1"), v.encode("latin-1")) for name, v in headers]
        code = int(status.split(" ", 1)[0])
        self._head = {"type": "http.response.start", "status": code, "headers": encoded}
        return self.write

    def write(self, piece: bytes) -> None:
        """Send a piece of the body."""
        self._begin()
        self._push({"type": "http.response.body", "body": piece, "more_body": True})

    def finish(self) -> None:
        """Send the end."""
        self._begin()
        self._push({"type": "http.response.body", "body": b"", "more_body": False})

    def _begin(self) -> None:
        if self._sent or self._head is None:
            return
        self._sent = True
        self._push(self._head)


def environ_of(scope: Message, body: IO[bytes], length: int) -> WSGIEnvironment:
    """Return the request as PEP 3333 wants it; a body has a length, however it was sent."""
    server = scope.get("server") or ("localhost", 80)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 80),
        "REMOTE_ADDR": (scope.get("client") or ("", 0))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw, value in scope["headers"]:
        if b"_" in raw:
            continue  # it would pass for the header that is written with hyphens
        name = raw.decode("latin-1").upper().replace("-", "_")
        key = name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    environ["CONTENT_LENGTH"] = str(length)
    return environ


async def _refuse_slow(send: Send) -> None:
    body = b"The request did not arrive in time."
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 408, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _over(work: asyncio.Future[None]) -> None:
    with contextlib.suppress(Exception):  # the server was told of it where it was awaited
        await work
