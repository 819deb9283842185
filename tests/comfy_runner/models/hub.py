"""A hub with its storage on another host, as far as fetching files goes, and with faults.

What it answers is what huggingface.co answers to the same requests: a file kept outside git
redirects to the storage and tells size and SHA-256 in headers of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

COMMIT = "c0ffee00" * 5
TOKEN = "hf_token_of_the_test"


@dataclass
class Fault:
    """What the storage does wrong with the next answers."""

    cut_after: int | None = None
    """Break off after so many bytes of an answer."""
    drip: bool = False
    """Send ten bytes, then one now and then."""
    silent: bool = False
    """Send ten bytes, and then none."""
    status: int | None = None
    ignore_range: bool = False
    silent_on_length: bool = False
    times: int = 1


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Hub:
    """Repositories: files by `owner/name/file`; `gated` and `private` ones need the token."""

    files: dict[str, bytes] = field(default_factory=dict)
    in_git: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    etags: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    away: int = 0
    """How many questions of the hub itself are answered with 503."""
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    sent_bytes: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def storage(self, key: str) -> str:
        """The address of a file without any hub: another host than the hub's."""
        return f"http://localhost:{self.port}/storage/{key}"

    def asked(self, method: str, start: str = "/") -> list[Request]:
        return [r for r in self.requests if r.method == method and r.path.startswith(start)]


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = False
    hub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.done.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(hub: Hub) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(_Handler):
        def setup(self) -> None:
            self.hub = hub
            super().setup()

    return Handler


class _Handler(http.server.BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        with contextlib.suppress(ConnectionError):
            self._answer()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append(Request(self.command, self.path, headers))
        self.close_connection = True
        if self.path.startswith("/storage/"):
            self._store(self.path.removeprefix("/storage/").split("?")[0])
            return
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        if found:
            self._resolve(*found.groups())
        else:
            self._say(404, {})

    def _resolve(self, repo: str, revision: str, file: str) -> None:
        refusal = self._refusal(repo, revision, f"{repo}/{file}")
        if refusal:
            self._say(refusal[0], {"X-Error-Code": refusal[1], "X-Error-Message": "no"})
            return
        key = f"{repo}/{file}"
        body = self.hub.files[key]
        if key in self.hub.in_git:
            etag = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
            told = {"X-Repo-Commit": COMMIT, "ETag": f'"{self.hub.etags.get(key, etag)}"'}
            self._say(200, told, body)
            return
        etag = self.hub.etags.get(key, hashlib.sha256(body).hexdigest())
        linked = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(body))}
        there = self.hub.storage(f"{key}?signature=secret")
        self._say(302, {"X-Repo-Commit": COMMIT, "Location": there, **linked})

    def _refusal(self, repo: str, revision: str, key: str) -> tuple[int, str] | None:
        if self.hub.away:
            self.hub.away -= 1
            return 503, "Away"
        known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        exists = any(file.startswith(f"{repo}/") for file in self.hub.files)
        if not exists or (repo in self.hub.private and not known):
            return 401, "RepoNotFound"
        if repo in self.hub.gated and not known:
            return 401, "GatedRepo"
        if revision not in {"main", "v1", COMMIT}:
            return 404, "RevisionNotFound"
        return None if key in self.hub.files else (404, "EntryNotFound")

    def _store(self, key: str) -> None:
        fault = self._fault()
        body = self.hub.files.get(key)
        if fault.status or body is None:
            self._say(fault.status or 404, {})
            return
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        start = self._start(etag) if not fault.ignore_range else 0
        if start > len(body):
            self._say(416, {})
            return
        told = {"ETag": etag}
        if start:
            told["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self._say(206 if start else 200, told, body[start:], fault)

    def _start(self, etag: str) -> int:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range", etag) == etag
        return int(wanted.group(1)) if wanted and unchanged else 0

    def _fault(self) -> Fault:
        if not self.hub.faults:
            return Fault()
        first = self.hub.faults[0]
        first.times -= 1
        if first.times == 0:
            self.hub.faults.pop(0)
        return first

    def _say(
        self, status: int, headers: dict[str, str], body: bytes = b"", fault: Fault | None = None
    ) -> None:
        fault = fault or Fault()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not fault.silent_on_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        self._send(body, fault)

    def _send(self, body: bytes, fault: Fault) -> None:
        if fault.silent:
            self._write(body[:10])
            self.hub.done.wait(10)
        elif fault.drip:
            self._write(body[:10])
            for byte in body[10:]:
                if self.hub.done.wait(0.02):
                    return
                self._write(bytes([byte]))
        else:
            self._write(body[: fault.cut_after])

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
        self.hub.sent_bytes += len(data)
