"""Outbound HTTP that cannot be turned inward, held up, or made to fill the disk."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.poolmanager import PoolManager

from comfy_runner.addresses import BlockedAddress, Network, check, parse, vet
from comfy_runner.deadline import Deadline, within

MOST_REDIRECTS = 3
CHUNK_BYTES = 64 * 1024

Addresses = list[tuple[int, str]]

Resolver = Callable[[str, int], Addresses]
"""From a host and a port to its addresses, each with its family; raises OSError."""

_AGAIN = frozenset({408, 425, 429})

Patience = tuple[float, float]
"""How many seconds a connection may take to be made, and how many a server may say nothing."""

FETCHING: Patience = (5.0, 15.0)
POSTING: Patience = (10.0, 10.0)


@dataclass(frozen=True)
class Answer:
    """What a server said to a request; `body` is the beginning of it, empty if all went well."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


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
        self._verify = str(authorities) if authorities else True
        # at DEBUG it tells whole URLs, and those may hold secrets
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)

    def download(self, url: str, path: Path, *, max_bytes: int, seconds: float) -> None:
        """Write what is at `url` to `path`; follow a few redirects, each checked like the first.

        Raises:
            BlockedAddress: The URL, or one it redirects to, leads where it must not.
            TooLarge: There are more than `max_bytes`.
            NotFetched: No whole answer came within `seconds`, or none that is a file.
            OSError: `path` cannot be written.
        """
        with Deadline(seconds) as deadline, self._session(deadline, FETCHING) as session:
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

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float,
        max_bytes: int = 1024,
    ) -> Answer:
        """Send `body` and return what was answered, a redirect being an answer like any other.

        No more than `max_bytes` are read, and none of an answer that says that all went well.

        Raises:
            BlockedAddress: The URL leads where it must not.
            NotFetched: No answer came within `seconds`.
        """
        vet(url, self._allow)
        with Deadline(seconds) as deadline, self._session(deadline, POSTING) as session:
            try:
                with session.post(
                    url,
                    data=body,
                    headers={**headers, "Connection": "close"},
                    stream=True,
                    allow_redirects=False,
                    timeout=POSTING,
                    verify=self._verify,
                ) as answer:
                    told = b"" if answer.ok else _beginning(answer, max_bytes)
            except (requests.RequestException, HTTPError) as error:
                if deadline.remaining:
                    raise NotFetched(_reason(error)) from error
                raise NotFetched(f"it took more than {seconds:g} seconds") from error
            # Its end shuts the socket, which looks like the end of the headers.
            if not (deadline.remaining or told):
                raise NotFetched(f"it took more than {seconds:g} seconds")
            return Answer(answer.status_code, answer.headers, told)

    @contextlib.contextmanager
    def _follow(self, session: requests.Session, url: str) -> Iterator[requests.Response]:
        for _ in range(1 + MOST_REDIRECTS):
            vet(url, self._allow)
            with session.get(
                url,
                stream=True,
                allow_redirects=False,
                timeout=FETCHING,
                verify=self._verify,
            ) as answer:
                target = session.get_redirect_target(answer)
                if target is None:
                    yield answer
                    return
            session.close()  # a connection kept for the next request may be dead by then
            url = urljoin(url, target)
        raise NotFetched(f"it redirects more than {MOST_REDIRECTS} times", transient=False)

    def _session(self, deadline: Deadline, patience: Patience) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxies, no netrc
        session.headers["Accept-Encoding"] = "identity"
        adapter = _Adapter(self._opener(deadline, patience))
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session

    def _opener(
        self, deadline: Deadline, patience: Patience
    ) -> Callable[[str, int], socket.socket]:
        def connect(host: str, port: int) -> socket.socket:
            failure: OSError = TimeoutError("there is no time left")
            for family, address in self._addresses(host, port, deadline):
                try:
                    return self._connect(family, (address, port), deadline, patience)
                except OSError as error:
                    failure = error
            raise failure

        return connect

    def _addresses(self, host: str, port: int, deadline: Deadline) -> Addresses:
        """Look the name up; one address that is not allowed refuses it altogether."""
        found = within(deadline, lambda: self._resolve(host, port))
        for _, address in found:
            check(parse(address), port, self._allow)
        return found

    def _connect(
        self, family: int, address: tuple[str, int], deadline: Deadline, patience: Patience
    ) -> socket.socket:
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.settimeout(max(0.001, min(patience[0], deadline.remaining)))
            opened.connect(address)
            check(parse(opened.getpeername()[0]), address[1], self._allow)
            opened.settimeout(patience[1])
            deadline.watch(opened)
        except BaseException:
            opened.close()
            raise
        return opened


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


def _beginning(answer: requests.Response, max_bytes: int) -> bytes:
    """Read the first bytes, or those that come before the connection breaks."""
    read = b""
    with contextlib.suppress(HTTPError):
        while len(read) < max_bytes and (
            chunk := answer.raw.read1(max_bytes - len(read), decode_content=False)
        ):
            read += chunk
    return read


def _reason(error: Exception) -> str:
    """Say what happened without saying where: the URL and what it led to may be secrets."""
    if isinstance(error, requests.Timeout | TimeoutError | ReadTimeoutError):
        return "the server fell silent"
    if isinstance(error, requests.exceptions.SSLError):
        return "the server's TLS certificate is not to be trusted"
    inner = error.args[0] if error.args else error  # of what requests calls a ConnectionError
    if ProtocolError in {type(error), type(inner)} or isinstance(error, ChunkedEncodingError):
        return "the answer broke off"
    return "no connection could be made"
