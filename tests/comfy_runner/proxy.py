"""A TCP proxy that spoils connections to the real ComfyUI, which does not do so by itself."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

SUBMISSION = b"POST /prompt HTTP"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Passes connections on to `port`, a number or where to ask for one at every connection.

    `drop` and `deafen` spoil those that carry a WebSocket, `hang` and `fail` the others and new
    ones of both kinds; `at_submission` is called once, before a prompt is passed on.
    """

    def __init__(self, port: int | Callable[[], int]) -> None:
        self._target = port if callable(port) else lambda: port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._streams: list[tuple[socket.socket, socket.socket, threading.Event]] = []
        self._lock = threading.Lock()
        self._refusing = False
        self._hung: int | None = None
        self._failing = False
        self.at_submission: Callable[[], None] | None = None
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
        for near, far, _ in broken:
            _shut(near, far)

    def deafen(self) -> None:
        """Keep every WebSocket open and swallow all that ComfyUI says on them."""
        with self._lock:
            for _, _, deaf in self._streams:
                deaf.set()

    def hang(self) -> None:
        """Leave requests to the present target unanswered; the next target is spared."""
        self._hung = self._target()

    def fail(self, seconds: float) -> None:
        """Answer requests with 500 for a while."""
        self._failing = True
        timer = threading.Timer(seconds, self._stop_failing)
        timer.daemon = True
        timer.start()

    def take(self) -> None:
        """Take new WebSockets again."""
        self._refusing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take no more connections and break the streams."""
        self._listener.close()
        self.drop()

    def _stop_failing(self) -> None:
        self._failing = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(near,), daemon=True).start()

    def _pass_on(self, near: socket.socket) -> None:
        port = self._target()
        with near, contextlib.suppress(OSError):
            first = near.recv(65536)
            with socket.create_connection(("127.0.0.1", port)) as far:
                if b"upgrade: websocket" in first.lower():
                    self._carry_stream(near, far, first)
                else:
                    self._carry_calls(near, far, first)

    def _carry_stream(self, near: socket.socket, far: socket.socket, first: bytes) -> None:
        if not self._passes(near, far):
            _drain(near)
            return
        deaf = threading.Event()
        with self._lock:
            if self._refusing:
                return
            self.streams_seen += 1
            self._streams.append((near, far, deaf))
        far.sendall(first)
        back = threading.Thread(target=_pump, args=(far, near, deaf), daemon=True)
        back.start()
        _pump(near, far, threading.Event())
        back.join()

    def _carry_calls(self, near: socket.socket, far: socket.socket, first: bytes) -> None:
        back = threading.Thread(target=_pump, args=(far, near, threading.Event()), daemon=True)
        back.start()
        data = first
        with contextlib.suppress(OSError):
            while data:
                self._note(data)
                if not self._passes(near, far):
                    _drain(near)
                    break
                far.sendall(data)
                data = near.recv(65536)
        _shut(near, far)
        back.join()

    def _passes(self, near: socket.socket, far: socket.socket) -> bool:
        """Whether what was read may be passed on; else it has been answered, or never will be."""
        if self._failing:
            near.sendall(FAILED)
            return False
        return bool(far.getpeername()[1] != self._hung)

    def _note(self, data: bytes) -> None:
        if SUBMISSION in data and self.at_submission is not None:
            act, self.at_submission = self.at_submission, None
            act()


def _pump(source: socket.socket, sink: socket.socket, swallow: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if not swallow.is_set():
                sink.sendall(data)
    _shut(source, sink)


def _drain(source: socket.socket) -> None:
    while source.recv(65536):
        pass


def _shut(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
