"""The HTTP server: a listening socket, and waitress answering on it in a thread."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import click
from waitress.server import create_server
from waitress.wasyncore import close_all

from web.waiting import STOPPING

THREADS = 16
"""How many ordinary requests are answered at a time."""

CONNECTIONS = 400
"""How many clients may be connected without waiting; more are not heard until one has gone."""

STOP_SECONDS = 10

WsgiApplication = Callable[..., Iterable[bytes]]


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 takes a free one.

    Raises:
        click.ClickException: the address cannot be listened on; the message says why.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        # A failed look-up has a negative number and a text of its own.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        message = f"Cannot listen on {host}, port {port}: {reason}. Choose another with --port"
        raise click.ClickException(f"{message} (0: any free one) or --host.") from error


def url_of(host: str, listening: socket.socket) -> str:
    """Return the URL at which a server on the socket answers."""
    port = listening.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def serve_http(
    application: WsgiApplication, listening: socket.socket, *, waiting: int = 0
) -> Iterator[None]:
    """Answer requests during the block; requests being answered at its end are finished.

    The application may keep so many requests ``waiting``: each has a thread to itself, and those
    of the ordinary ones stay free. It is told in the environ when to let go of them.
    """
    stopping = Event()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[STOPPING] = stopping.is_set
        return application(environ, start_response)

    connections: dict[int, Any] = {}
    # Any: for one socket it is a single server, which the published types do not say
    server: Any = create_server(
        answer,
        map=connections,
        sockets=[listening],
        threads=THREADS + waiting,
        connection_limit=CONNECTIONS + waiting,
        asyncore_use_poll=True,  # select() knows no descriptor above 1023
        # so that a client that goes while its request waits is seen to go
        channel_request_lookahead=1,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    thread = Thread(target=server.run, name="http", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        server.task_dispatcher.shutdown(timeout=STOP_SECONDS)
        # Closed by its own thread: a descriptor closed under select() could be somebody else's.
        # Woken by something else just now, it may have closed the very one that wakes it.
        with suppress(OSError):
            server.trigger.pull_trigger(lambda: close_all(connections, ignore_all=True))
        thread.join(STOP_SECONDS)
