"""A server that is slow on purpose holds a download no longer than it may take."""

from __future__ import annotations

import ipaddress
import socket
import threading
from pathlib import Path

import pytest

from comfy_runner.deadline import Deadline
from comfy_runner.safe_http import NotFetched, Outbound
from tests.comfy_runner.raw_server import RawServer, Talk, answer

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)

TIME = 0.3
"""What a download may take here; every script below goes on for ten seconds, if it is let."""


def drip_headers(talk: Talk) -> None:
    talk.say(b"HTTP/1.1 200 OK\r\n")
    talk.drip(b"X-Slow: " + b"a" * 200)


def drip_status(talk: Talk) -> None:
    talk.drip(b"HTTP/1.1 200 " + b"O" * 200)


def drip_body(talk: Talk) -> None:
    talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n")
    talk.drip(b"a" * 200)


def drip_body_without_length(talk: Talk) -> None:
    talk.say(b"HTTP/1.1 200 OK\r\n\r\n")
    talk.drip(b"a" * 200)


def drip_chunks(talk: Talk) -> None:
    talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    talk.drip(b"1\r\na\r\n" * 40)


def drip_redirects(talk: Talk) -> None:
    talk.drip(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nX: " + b"a" * 150)


def always_continue(talk: Talk) -> None:
    for _ in range(200):
        talk.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        if talk.done.wait(0.05):
            return
    talk.patience_ended = True


def hang(talk: Talk) -> None:
    talk.hang()


def hang_in_the_body(talk: Talk) -> None:
    talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nab")
    talk.hang()


def handshake_drip(talk: Talk) -> None:
    # A TLS record of 16 kB is announced and never comes whole.
    talk.drip(b"\x16\x03\x03\x40\x00\x02" + b"\0" * 200)


PLAIN = [drip_headers, drip_status, drip_body, drip_body_without_length, drip_chunks, hang]
PLAIN += [drip_redirects, always_continue, hang_in_the_body]


def too_long(outbound: Outbound, url: str, directory: Path) -> None:
    with pytest.raises(NotFetched, match=r"more than 0\.3 seconds") as caught:
        outbound.download(url, directory / "file", max_bytes=10**6, seconds=TIME)
    assert caught.value.transient


@pytest.mark.parametrize("script", PLAIN, ids=lambda each: each.__name__)
def test_a_drip_or_silence_ends_when_the_time_is_up(script, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # parametrized
    with RawServer(script) as server:
        too_long(Outbound(LOOPBACK), server.url(), tmp_path)
        assert not any(talk.patience_ended for talk in server.talks)


@pytest.mark.parametrize("script", [handshake_drip, hang], ids=["drip", "hang"])
def test_a_slow_tls_handshake_ends_when_the_time_is_up(script, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # parametrized
    with RawServer(script, greets=True) as server:
        url = f"https://127.0.0.1:{server.port}/"
        too_long(Outbound(LOOPBACK), url, tmp_path)
        assert not any(talk.patience_ended for talk in server.talks)


def test_a_lookup_that_hangs_ends_when_the_time_is_up(tmp_path: Path) -> None:
    over = threading.Event()
    ended: list[bool] = []

    def slow(host: str, port: int) -> list[tuple[int, str]]:
        ended.append(over.wait(10))
        return [(socket.AF_INET, "127.0.0.1")]

    try:
        too_long(Outbound(LOOPBACK, resolver=slow), "http://slow.example/", tmp_path)
        assert ended == []
    finally:
        over.set()


def test_a_connection_that_is_never_accepted_ends_when_the_time_is_up(tmp_path: Path) -> None:
    much_later = threading.Timer(4, lambda: None)
    much_later.start()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            too_long(Outbound(LOOPBACK), f"http://127.0.0.1:{port}/", tmp_path)
    assert much_later.is_alive()
    much_later.cancel()
    much_later.join()


def test_a_connection_made_at_the_last_moment_is_shut_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(5)
        late = Deadline(0)
        late.watch(ours)
        assert theirs.recv(1) == b""
        late.__exit__()


def test_no_timer_is_left_when_a_download_has_ended(tmp_path: Path) -> None:
    before = set(timers())
    with RawServer(lambda talk: talk.say(answer(b"x"))) as server:
        Outbound(LOOPBACK).download(server.url(), tmp_path / "f", max_bytes=9, seconds=3)
    left = timers() - before
    for each in left:
        each.join(1)  # one that was cancelled ends at once
    assert not any(each.is_alive() for each in left)


def timers() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if isinstance(each, threading.Timer)}
