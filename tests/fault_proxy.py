"""A TCP proxy on loopback that disturbs chosen connections: whatever a network does to HTTP."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

REQUEST_LINE = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r\n")
READ_BYTES = 65536
PULSES_PER_SECOND = 50


@dataclass(frozen=True)
class Fault:
    """What happens to one connection; make one by the functions below."""

    kind: Literal["pass", "refuse", "hang", "reset", "cut", "drip", "busy"]
    amount: int = 0


PASS = Fault("pass")
REFUSE = Fault("refuse")
"""The connection is reset before anything is read."""
HANG = Fault("hang")
"""The connection is taken, and nothing is ever read or answered."""


def reset_after(size: int) -> Fault:
    """Reset the connection once so many bytes of the request have come."""
    return Fault("reset", size)


def cut_after(size: int) -> Fault:
    """End the answer after so many bytes of it, as if the server had died."""
    return Fault("cut", size)


def drip(bytes_per_second: int) -> Fault:
    """Pass everything, slowly."""
    return Fault("drip", bytes_per_second)


def busy(retry_after_seconds: int) -> Fault:
    """Take one whole request and answer 503 with Retry-After."""
    return Fault("busy", retry_after_seconds)


class FaultProxy:
    """Passes connections on to a port of this machine; each new one may meet a fault.

    `requests` tells the method and path of every request that reached the proxy, even in part.
    """

    def __init__(self, upstream: int, *faults: Fault) -> None:
        self.requests: list[str] = []
        self._upstream = upstream
        self._faults = deque(faults)
        self._otherwise = PASS
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._spawn(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def next(self, *faults: Fault) -> None:
        """Let the next new connections meet these faults, one each, and sever the present ones."""
        with self._lock:
            self._faults = deque(faults)
        self.sever()

    def always(self, fault: Fault) -> None:
        """Let all new connections meet this fault from now on, and sever the present ones."""
        with self._lock:
            self._faults.clear()
            self._otherwise = fault
        self.sever()

    def sever(self) -> None:
        """Reset all connections that there are."""
        with self._lock:
            present = list(self._sockets)
        for each in present:
            _reset(each)
            _end(each)

    def close(self) -> None:
        """End everything; nothing is left running."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.sever()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _spawn(self, target: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=target, name="fault proxy", daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                fault = self._faults.popleft() if self._faults else self._otherwise
                self._sockets.add(client)
            if self._closing.is_set():  # `close` may have missed this one
                _end(client)
            self._spawn(partial(self._serve, client, fault))

    def _serve(self, client: socket.socket, fault: Fault) -> None:
        try:
            if fault.kind == "hang":
                _outlast(client)
            elif fault.kind == "busy":
                self._answer_busy(client, fault.amount)
            elif fault.kind != "refuse":
                self._pass_on(client, fault)
        except OSError:
            pass  # either side has gone: so be it
        finally:
            self._drop(client, reset=fault.kind in {"refuse", "reset"})

    def _pass_on(self, client: socket.socket, fault: Fault) -> None:
        server = socket.create_connection(("127.0.0.1", self._upstream), timeout=10)
        server.settimeout(None)
        with self._lock:
            self._sockets.add(server)
        up = self._spawn(partial(self._pump, client, server, fault, is_request=True))
        self._pump(server, client, fault, is_request=False)
        up.join(10)
        self._drop(server)

    def _pump(
        self, source: socket.socket, target: socket.socket, fault: Fault, *, is_request: bool
    ) -> None:
        """Copy until the end, an error or the fault; then end the connection to `target`."""
        left = fault.amount if fault.kind == ("reset" if is_request else "cut") else None
        rate = fault.amount if fault.kind == "drip" else None
        size = max(1, rate // PULSES_PER_SECOND) if rate else READ_BYTES
        try:
            while data := source.recv(size):
                data = data[:left]
                if is_request:
                    self._note(data)
                target.sendall(data)
                left = None if left is None else left - len(data)
                if left == 0:
                    break
                if rate:
                    time.sleep(len(data) / rate)
        except OSError:
            pass  # reset by either side, or by us
        if is_request or fault.kind != "reset":  # a client that is reset sees no orderly end
            _end(target)

    def _answer_busy(self, client: socket.socket, retry_after_seconds: int) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += _received(client)
        self._note(data)
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        left = int(length[1]) - len(body) if length else 0
        while left > 0:
            left -= len(_received(client))
        said = b"<Error><Code>ServiceUnavailable</Code><Message>Busy.</Message></Error>"
        lines = [
            "HTTP/1.1 503 Service Unavailable",
            f"Retry-After: {retry_after_seconds}",
            f"Content-Length: {len(said)}",
            "Connection: close\r\n\r\n",
        ]
        client.sendall("\r\n".join(lines).encode() + said)

    def _note(self, data: bytes) -> None:
        found = [f"{m[1].decode()} {m[2].decode()}" for m in REQUEST_LINE.finditer(data)]
        with self._lock:
            self.requests += found

    def _drop(self, connection: socket.socket, *, reset: bool = False) -> None:
        with self._lock:
            self._sockets.discard(connection)
        if reset:
            _reset(connection)
        connection.close()


def _outlast(client: socket.socket) -> None:
    """Wait until either side has ended the connection, reading nothing."""
    ends = select.poll()
    ends.register(client, select.POLLRDHUP)
    ends.poll()


def _received(client: socket.socket) -> bytes:
    data = client.recv(READ_BYTES)
    if not data:
        raise ConnectionResetError
    return data


def _reset(connection: socket.socket) -> None:
    """Make the coming end of a connection a reset."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _end(connection: socket.socket) -> None:
    """Wake whoever waits for the connection, here and there."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
