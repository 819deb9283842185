"""Outbound HTTP that cannot be turned inward, held up, or made to fill the disk."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.poolmanager import PoolManager

from comfy_runner.addresses import BlockedAddress, Network, check, parse, vet

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 15.0
MOST_REDIRECTS = 3
CHUNK_BYTES = 64 * 1024

Addresses = list[tuple[int, str]]

Resolver = Callable[[str, int], Addresses]
"""From a host and a port to its addresses, each with its family; raises OSError."""

_AGAIN = frozenset({408, 425, 429})


class TooLarge(Exception):
    """The answer has more bytes than allowed."""


class NotFetched(Exception):
    """No whole answer came; `transient` tells whether it may come at another time."""

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient


def resolve(host: str, port: int) -> Addresses:
    """Look `host` up, once, in the system's own way."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, str(address[0])) for family, _, _, _, address in found]


class Deadline:
    """A moment at which every socket in use is shut down.

    A timeout of a socket counts silence only: a server that sends a byte now and then never
    meets one, neither in the handshake nor in headers or body.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for each in self._sockets:
                each.close()
            self._sockets.clear()

    @property
    def remaining(self) -> float:
        """How many seconds are left, never less than none."""
        return max(0.0, self._end - time.monotonic())

    def watch(self, opened: socket.socket) -> None:
        """Shut `opened` down at the end, through a duplicate: TLS takes the socket itself over."""
        with self._lock:
            self._sockets.append(opened.dup())
        if not self.remaining:
            self._shut()

    def _shut(self) -> None:
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):  # it has been closed by its other end
                    each.shutdown(socket.SHUT_RDWR)


class Outbound:
    """Requests to public addresses, and to those in the networks of `allow`.

    A name is looked up once, every address that it has must be allowed, and the connection goes
    to one of exactly these. Host header, SNI and certificate stay those of the name. There are
    no proxies, no retries and no credentials.
    """

    def __init__(
        self,
        allow: Collection[Network] = (),
        *,
        resolver: Resolver = resolve,
        authorities: Path | None = None,
    ) -> None:
        self._allow = tuple(allow)
        self._resolve = resolver
        self._authorities = authorities

    def download(self, url: str, path: Path, *, max_bytes: int, seconds: float) -> None:
        """Write what is at `url` to `path`; follow a few redirects, each checked like the first.

        Raises:
            BlockedAddress: The URL, or one it redirects to, leads where it must not.
            TooLarge: There are more than `max_bytes`.
            NotFetched: No whole answer came within `seconds`, or none that is a file.
            OSError: `path` cannot be written.
        """
        with Deadline(seconds) as deadline, self._session(deadline) as session:
            try:
                with self._follow(session, url) as answer:
                    _write(answer, path, max_bytes)
            except NotFetched:
                if deadline.remaining:
                    raise
            except (requests.RequestException, HTTPError) as error:
                if deadline.remaining:
                    raise NotFetched(_reason(error)) from error
            # Its end shuts the socket, which looks like the end of a body without a length.
            if not deadline.remaining:
                raise NotFetched(f"it took more than {seconds:g} seconds")

    @contextlib.contextmanager
    def _follow(self, session: requests.Session, url: str) -> Iterator[requests.Response]:
        for _ in range(1 + MOST_REDIRECTS):
            vet(url, self._allow)
            with session.get(
                url,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
                verify=str(self._authorities) if self._authorities else True,
            ) as answer:
                target = session.get_redirect_target(answer)
                if target is None:
                    yield answer
                    return
            session.close()  # a connection kept for the next request may be dead by then
            url = urljoin(url, target)
        raise NotFetched(f"it redirects more than {MOST_REDIRECTS} times", transient=False)

    def _session(self, deadline: Deadline) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxies, no netrc
        session.headers["Accept-Encoding"] = "identity"
        adapter = _Adapter(self._opener(deadline))
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

    def _opener(self, deadline: Deadline) -> Callable[[str, int], socket.socket]:
        def connect(host: str, port: int) -> socket.socket:
            failure: OSError = TimeoutError("there is no time left")
            for family, address in self._addresses(host, port, deadline):
                try:
                    return self._connect(family, (address, port), deadline)
                except OSError as error:
                    failure = error
            raise failure

        return connect

    def _addresses(self, host: str, port: int, deadline: Deadline) -> Addresses:
        """Look the name up; one address that is not allowed refuses it altogether."""
        found = _within(deadline, lambda: self._resolve(host, port))
        for _, address in found:
            check(parse(address), port, self._allow)
        return found

    def _connect(self, family: int, address: tuple[str, int], deadline: Deadline) -> socket.socket:
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.settimeout(max(0.001, min(CONNECT_SECONDS, deadline.remaining)))
            opened.connect(address)
            check(parse(opened.getpeername()[0]), address[1], self._allow)
            opened.settimeout(SILENCE_SECONDS)
            deadline.watch(opened)
        except BaseException:
            opened.close()
            raise
        return opened


def _within(deadline: Deadline, look_up: Callable[[], Addresses]) -> Addresses:
    """Return what `look_up` does, unless it outlasts the deadline: nothing can interrupt it."""
    answers: queue.SimpleQueue[Addresses | OSError] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(look_up())
        except (OSError, UnicodeError) as error:
            answers.put(OSError(f"the name is not known: {error}"))

    threading.Thread(target=run, daemon=True).start()
    try:
        found = answers.get(timeout=deadline.remaining)
    except queue.Empty:
        raise TimeoutError("the name was not found in time") from None
    if isinstance(found, OSError):
        raise found
    return found


class _Adapter(HTTPAdapter):
    """Opens every connection through `connect`, whatever the address of the URL looks like."""

    def __init__(self, connect: Callable[[str, int], socket.socket]) -> None:
        self._connect = connect
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Put connections of our own into urllib3's pools."""
        connect = self._connect

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _open(self, connect)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _open(self, connect)

        super().init_poolmanager(*args, **options)
        manager = cast(PoolManager, self.poolmanager)
        manager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": Secure}),
        }

    def proxy_manager_for(self, *_: Any, **__: Any) -> Any:
        """Refuse: a proxy would look the name up itself."""
        raise BlockedAddress("it may not go through a proxy")


def _open(
    connection: HTTPConnection, connect: Callable[[str, int], socket.socket]
) -> socket.socket:
    try:
        return connect(connection.host.strip("[]"), connection.port)
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error


def _write(answer: requests.Response, path: Path, max_bytes: int) -> None:
    if answer.status_code != 200:
        again = answer.status_code >= 500 or answer.status_code in _AGAIN
        raise NotFetched(f"the server answered HTTP {answer.status_code}", transient=again)
    # Asked for the file as it is; what unpacks to a thousand times its size is not unpacked.
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise NotFetched("the server sent it compressed, unasked", transient=False)
    promised = answer.headers.get("Content-Length", "")
    if promised.isdecimal() and int(promised) > max_bytes:
        raise TooLarge
    received = 0
    with path.open("wb") as file:
        while chunk := answer.raw.read(CHUNK_BYTES, decode_content=False):
            received += len(chunk)
            if received > max_bytes:
                raise TooLarge
            file.write(chunk)
    # urllib3 itself tells of a body that ends before it should.
    if not received and promised != "0":  # the headers may have been cut off
        raise NotFetched("the answer is empty")


def _reason(error: Exception) -> str:
    """Say what happened without saying where: the URL and what it led to may be secrets."""
    if isinstance(error, requests.Timeout | TimeoutError | ReadTimeoutError):
        return "the server fell silent"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's TLS certificate is not to be trusted"
    if isinstance(error, ProtocolError | requests.exceptions.ChunkedEncodingError):
        return "the answer broke off"
    return "no connection could be made"
