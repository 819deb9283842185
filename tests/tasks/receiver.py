"""A customer's server: takes webhooks on loopback and answers each as a test wants."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks import Webhook as Oracle

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Letter:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    def verified(self, secret: str = SECRET) -> Any:
        """Return what the official library makes of it; it raises for a wrong signature."""
        return Oracle(secret).verify(self.body.decode(), self.headers)


class Handler(BaseHTTPRequestHandler):
    """What an answer has at hand: `wfile`, and `receiver.over`, set when the test is."""

    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.letters.append(Letter(self.path, headers, body))
        self.close_connection = True
        self.receiver.next_answer()(self)

    def log_message(self, *_: object) -> None:
        pass


Answer = Callable[[Handler], None]


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang(handler: Handler) -> None:
    handler.receiver.over.wait(10)


def drip(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(200):
        if handler.receiver.over.wait(0.05):
            return
        handler.wfile.write(b"a")


def drip_body(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 500 No\r\n\r\n")
    for _ in range(200):
        if handler.receiver.over.wait(0.05):
            return
        handler.wfile.write(b"a")


def break_off(handler: Handler) -> None:
    handler.wfile.write(b"HTT")


@dataclass
class Receiver:
    """Gives `answers` in turn, the last one for ever, and keeps the `letters`."""

    answers: list[Answer] = field(default_factory=list)
    port: int = 0
    address: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    letters: list[Letter] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        handler = type("Bound", (Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer((self.address, self.port), handler)
        self._server.daemon_threads = False  # they are waited for
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who hangs up
        self.port = self._server.server_address[1]
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.over.clear()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}/hook?token=s3cret"

    @property
    def ids(self) -> set[str]:
        return {letter.id for letter in self.letters}

    def next_answer(self) -> Answer:
        if not self.answers:
            return status(204)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
