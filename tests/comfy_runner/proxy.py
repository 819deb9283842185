"""A TCP proxy that breaks connections to the real ComfyUI, which does not do so by itself."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Passes connections on to `port`; `drop` and `deafen` spoil those that carry a WebSocket."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._streams: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._refusing = False
        self._deaf = threading.Event()
        self.streams_seen = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def drop(self, *, refuse_next: bool = False) -> None:
        """Break every WebSocket without a close frame; optionally refuse new ones."""
        with self._lock:
            self._refusing = refuse_next
            broken, self._streams = self._streams, []
        for pair in broken:
            _shut(*pair)

    def deafen(self) -> None:
        """Keep every WebSocket open and swallow all that ComfyUI says on them."""
        self._deaf.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(near,), daemon=True).start()

    def _pass_on(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._target)) as far:
            first = near.recv(65536)
            never = threading.Event()
            is_stream = b"upgrade: websocket" in first.lower()
            if is_stream:
                with self._lock:
                    if self._refusing:
                        return
                    self.streams_seen += 1
                    self._streams.append((near, far))
            with contextlib.suppress(OSError):
                far.sendall(first)
                back = threading.Thread(
                    target=_pump, args=(far, near, self._deaf if is_stream else never), daemon=True
                )
                back.start()
                _pump(near, far, never)
                back.join()


def _pump(source: socket.socket, sink: socket.socket, swallow: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if not swallow.is_set():
                sink.sendall(data)
    _shut(source, sink)


def _shut(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
