"""A TCP proxy that cuts connections: after so many bytes of an answer, or when it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class CuttingProxy:
    """Passes on what is sent; the nth connection is cut after `cuts[n]` bytes of its answers."""

    def __init__(self, target: str, *cuts: int) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 0)
        self._cuts = list(cuts)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """Cut every connection there is."""
        for each in self._open:
            _shut(each)

    def close(self) -> None:
        _shut(self._listening)
        self._threads[0].join(5)
        self.cut()
        for thread in self._threads:
            thread.join(5)
        for each in [*self._open, self._listening]:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._target, timeout=30)
            self._open += [client, server]
            most = self._cuts.pop(0) if self._cuts else 10**9
            for work in ((self._ask, client, server), (self._answer, server, client, most)):
                self._threads.append(threading.Thread(target=work[0], args=work[1:]))
                self._threads[-1].start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while sent := client.recv(65536):
                self.requests.append(sent)
                server.sendall(sent)
        _shut(server)

    def _answer(self, server: socket.socket, client: socket.socket, most: int) -> None:
        with contextlib.suppress(OSError):
            while told := server.recv(65536):
                client.sendall(told[:most])
                most -= len(told)
                if most <= 0:
                    break
        _shut(client)
        _shut(server)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(target: str, *cuts: int) -> Iterator[CuttingProxy]:
    """Stand between a client and `target` during the block."""
    proxy = CuttingProxy(target, *cuts)
    try:
        yield proxy
    finally:
        proxy.close()
