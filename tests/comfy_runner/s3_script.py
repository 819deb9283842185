"""An S3 server that keeps what it was sent and answers by a script, with TLS if wanted."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import trustme

from comfy_runner.bucket.s3_client import S3Address


@dataclass(frozen=True)
class Request:
    """What came over the wire; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What goes back."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    tells_length: bool = True


def agreeing(request: Request) -> Reply:
    """Answer like an S3 server to which all is right; every part has the ETag of its content."""
    if request.method == "POST" and "uploads" in request.path:
        upload = b"<InitiateMultipartUploadResult><UploadId>u</UploadId>"
        return Reply(body=upload + b"</InitiateMultipartUploadResult>")
    if request.method == "POST":
        return Reply(body=b"<CompleteMultipartUploadResult/>")
    digest = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
    return Reply(headers={"ETag": f'"{digest}"'})


class ScriptedS3:
    """From enter to exit, a server whose answers `script` makes; `requests` came so far."""

    def __init__(
        self, script: Callable[[Request], Reply] = agreeing, certificate: Path | None = None
    ) -> None:
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.requests, script))
        self._ca_file = certificate
        if certificate is not None:
            self._server.socket = _with_tls(self._server.socket, certificate)

    @property
    def address(self) -> S3Address:
        scheme = "https" if self._ca_file else "http"
        url = f"{scheme}://localhost:{self._server.server_port}"
        return S3Address(url, "outputs", "the-id", "the-secret", ca_file=self._ca_file)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _with_tls(listening: Any, ca_file: Path) -> ssl.SSLSocket:
    """Serve as localhost with a new certificate; write what to trust for that to `ca_file`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context.wrap_socket(listening, server_side=True)


def _handler(
    seen: list[Request], script: Callable[[Request], Reply]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, self.rfile.read(length))
            seen.append(request)
            reply = script(request)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.tells_length:
                self.send_header("Content-Length", str(len(reply.body)))
            # The client's next request may come after the test has ended.
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve  # noqa: N815 (the names are http.server's)

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 (likewise)
            """Say nothing."""

    return Handler
