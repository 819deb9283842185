"""A server on loopback that says exactly the bytes that a test wants, at its pace."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

Script = Callable[["Talk"], None]


@dataclass
class Talk:
    """One connection: what was asked, and how to answer."""

    connection: socket.socket
    request: bytes
    done: threading.Event
    patience_ended: bool = False

    def say(self, *parts: bytes) -> None:
        for part in parts:
            self.connection.sendall(part)

    def drip(self, data: bytes, seconds: float = 0.05) -> None:
        """Say a byte now and then, until all is said or the other side or the test has gone."""
        for byte in data:
            self.connection.sendall(bytes([byte]))
            if self.done.wait(seconds):
                return
        self.patience_ended = True

    def hang(self) -> None:
        """Say nothing for ten seconds, or until the other side or the test has gone."""
        self.connection.settimeout(0.05)
        for _ in range(200):
            try:
                if self.done.is_set() or not self.connection.recv(65536):
                    return
            except TimeoutError:
                continue
        self.patience_ended = True

    @property
    def path(self) -> str:
        return self.request.split(b" ")[1].decode()

    def header(self, name: str) -> str | None:
        for line in self.request.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


@dataclass
class RawServer:
    """Answers each connection with `script`; `talks` are the requests that came."""

    script: Script
    address: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    greets: bool = False
    port: int = 0
    talks: list[Talk] = field(default_factory=list)
    connections: int = 0
    _done: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self._listening = socket.create_server((self.address, self.port), family=family)
        self.port = self._listening.getsockname()[1]
        self._listening.settimeout(0.02)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listening.close()

    def url(self, path: str = "/file.png", host: str = "") -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{host or self.address}:{self.port}{path}"

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._done.is_set():
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                continue
            self.connections += 1
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
                stack.callback(connection.close)
            request = b""
            while not self.greets and b"\r\n\r\n" not in request:
                part = connection.recv(4096)
                if not part:
                    return
                request += part
            talk = Talk(connection, request, self._done)
            self.talks.append(talk)
            self.script(talk)


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a whole answer; a length is given unless `headers` say one."""
    told = list(headers)
    if not any(each.lower().startswith("content-length") for each in told):
        told.append(f"Content-Length: {len(body)}")
    return "\r\n".join([f"HTTP/1.1 {status}", *told, "", ""]).encode() + body


def giving(*said: bytes) -> Script:
    """Return the script that gives the same answer to everybody and hangs up."""
    return lambda talk: talk.say(*said)
