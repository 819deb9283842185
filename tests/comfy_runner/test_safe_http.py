"""A download from a public place: whole, bounded, redirected a little, and told plainly."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from comfy_runner.safe_http import NotFetched, Outbound, TooLarge
from tests.comfy_runner.raw_server import RawServer, Talk, answer, giving

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
BODY = b"\x89PNG" + bytes(range(256)) * 1000


def named(host: str, port: int) -> list[tuple[int, str]]:
    """Every name leads to this machine."""
    return [(socket.AF_INET, "127.0.0.1")]


@pytest.fixture
def outbound() -> Outbound:
    return Outbound(LOOPBACK, resolver=named)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def fetch(outbound: Outbound, url: str, path: Path, **limits: float) -> bytes:
    most = int(limits.get("max_bytes", 10**6))
    outbound.download(url, path, max_bytes=most, seconds=limits.get("seconds", 10.0))
    return path.read_bytes()


def test_a_file_is_fetched_as_it_is_with_the_name_in_its_request(
    outbound: Outbound, path: Path
) -> None:
    with RawServer(giving(answer(BODY))) as server:
        assert fetch(outbound, server.url("/a%20b.png?x=1#part", "files.example"), path) == BODY
    (talk,) = server.talks
    assert talk.path == "/a%20b.png?x=1"
    assert talk.header("Host") == f"files.example:{server.port}"
    assert talk.header("Accept-Encoding") == "identity"
    assert talk.header("Authorization") is None


def test_a_proxy_and_a_netrc_of_the_environment_are_not_used(
    outbound: Outbound, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with RawServer(giving(answer(b"proxy"))) as proxy, RawServer(giving(answer(BODY))) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        assert fetch(outbound, server.url(host="files.example"), path) == BODY
    assert proxy.connections == 0
    assert server.talks[0].header("Authorization") is None


@pytest.mark.parametrize("size", [0, 1, 999_999, 1_000_000])
def test_a_body_up_to_the_limit_is_taken(outbound: Outbound, path: Path, size: int) -> None:
    with RawServer(giving(answer(b"x" * size))) as server:
        assert len(fetch(outbound, server.url(), path)) == size


def test_a_body_that_is_announced_as_too_large_is_not_read(outbound: Outbound, path: Path) -> None:
    with (
        RawServer(giving(answer(b"", "Content-Length: 1000001"))) as server,
        pytest.raises(TooLarge),
    ):
        fetch(outbound, server.url(), path)
    assert not path.exists()


def endless(talk: Talk) -> None:
    talk.say(b"HTTP/1.1 200 OK\r\n\r\n")
    while not talk.done.is_set():
        talk.say(b"x" * 65536)


def endless_chunks(talk: Talk) -> None:
    talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not talk.done.is_set():
        talk.say(b"10000\r\n" + b"x" * 65536 + b"\r\n")


@pytest.mark.parametrize("script", [endless, endless_chunks])
def test_an_endless_body_ends_at_the_limit(outbound: Outbound, path: Path, script) -> None:  # type: ignore[no-untyped-def]  # parametrized
    with RawServer(script) as server, pytest.raises(TooLarge):
        fetch(outbound, server.url(), path)
    assert path.stat().st_size <= 10**6


@pytest.mark.parametrize(
    "said",
    [
        answer(BODY[:-1], f"Content-Length: {len(BODY)}"),
        answer(b"", "Content-Length: 5"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
        b"\x16\x03\x01\x00",
    ],
)
def test_an_answer_that_breaks_off_is_no_file(outbound: Outbound, path: Path, said: bytes) -> None:
    with RawServer(giving(said)) as server, pytest.raises(NotFetched) as caught:
        fetch(outbound, server.url(), path)
    assert caught.value.transient


def test_a_body_longer_than_announced_is_cut_where_it_was_said_to_end(
    outbound: Outbound, path: Path
) -> None:
    with RawServer(giving(answer(b"abcdef", "Content-Length: 3"))) as server:
        assert fetch(outbound, server.url(), path) == b"abc"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip", "x"])
def test_what_comes_compressed_is_not_unpacked(
    outbound: Outbound, path: Path, encoding: str
) -> None:
    bomb = gzip.compress(bytes(10**7))
    with (
        RawServer(giving(answer(bomb, f"Content-Encoding: {encoding}"))) as server,
        pytest.raises(NotFetched, match="compressed") as caught,
    ):
        fetch(outbound, server.url(), path, max_bytes=10**8)
    assert not caught.value.transient
    assert not path.exists()


@pytest.mark.parametrize(
    ("status", "transient"),
    [
        *((each, False) for each in (204, 206, 300, 400, 403, 404, 410)),
        *((each, True) for each in (408, 425, 429, 500, 503)),
    ],
)
def test_another_status_is_told_and_only_some_may_pass(
    outbound: Outbound, path: Path, status: int, transient: bool
) -> None:
    with (
        RawServer(giving(answer(b"", status=f"{status} So"))) as server,
        pytest.raises(NotFetched, match=f"HTTP {status}") as caught,
    ):
        fetch(outbound, server.url(), path)
    assert caught.value.transient is transient


def redirecting(times: int) -> RawServer:
    """Return a server that redirects so often, once to a relative address, then gives BODY."""

    def script(talk: Talk) -> None:
        number = int(talk.path.removeprefix("/") or 0)
        # a body that is read would hold the download up
        endless = "Content-Length: 999999999"
        if number < times:
            talk.say(answer(b"", f"Location: {number + 1}", endless, status="302 Found"))
            return
        talk.say(answer(BODY))

    return RawServer(script)


def test_three_redirects_are_followed_without_reading_their_bodies(
    outbound: Outbound, path: Path
) -> None:
    with redirecting(3) as server:
        assert fetch(outbound, server.url("/0"), path) == BODY


def test_a_fourth_redirect_is_one_too_many(outbound: Outbound, path: Path) -> None:
    with redirecting(4) as server, pytest.raises(NotFetched, match="redirects") as caught:
        fetch(outbound, server.url("/0"), path)
    assert not caught.value.transient
    assert len(server.talks) == 4


def test_a_refused_connection_may_pass_and_is_not_tried_again_here(path: Path) -> None:
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[tuple[int, str]]:
        asked.append(host)
        return named(host, port)

    with RawServer(giving()) as server:
        pass
    with pytest.raises(NotFetched, match="no connection") as caught:
        fetch(Outbound(LOOPBACK, resolver=resolver), server.url(), path)
    assert caught.value.transient
    assert len(asked) == 1


def test_a_redirect_is_followed_on_a_new_connection(outbound: Outbound, path: Path) -> None:
    def script(talk: Talk) -> None:
        if talk.path == "/b":
            talk.say(answer(BODY))
            return
        talk.say(answer(b"", "Location: /b", status="302 Found"))
        talk.hang()

    with RawServer(script) as server:
        assert fetch(outbound, server.url("/a"), path, seconds=2.0) == BODY


def test_the_next_address_is_tried_when_one_refuses(path: Path) -> None:
    def two(host: str, port: int) -> list[tuple[int, str]]:
        return [(socket.AF_INET, "127.0.0.3"), (socket.AF_INET, "127.0.0.1")]

    with RawServer(giving(answer(BODY))) as server:
        outbound = Outbound(LOOPBACK, resolver=two)
        assert fetch(outbound, server.url(host="files.example"), path) == BODY


def test_a_name_that_is_not_known_may_pass(path: Path) -> None:
    def nowhere(host: str, port: int) -> list[tuple[int, str]]:
        raise socket.gaierror("Name or service not known")

    with pytest.raises(NotFetched, match="no connection") as caught:
        fetch(Outbound(resolver=nowhere), "http://files.example/", path)
    assert caught.value.transient


def test_the_message_does_not_tell_the_url(outbound: Outbound, path: Path) -> None:
    with RawServer(giving()) as server, pytest.raises(NotFetched) as caught:
        fetch(outbound, server.url("/a?signature=secret"), path)
    assert "secret" not in str(caught.value)
    assert str(server.port) not in str(caught.value)


def test_a_path_that_cannot_be_written_is_an_error_of_the_disk(
    outbound: Outbound, tmp_path: Path
) -> None:
    with RawServer(giving(answer(BODY))) as server, pytest.raises(FileNotFoundError):
        fetch(outbound, server.url(), tmp_path / "nowhere" / "file")


# -- TLS -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Outbound:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return Outbound(LOOPBACK, resolver=named, authorities=file)


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[RawServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("files.example").configure_cert(context)
    with RawServer(giving(answer(BODY)), tls=context) as server:
        yield server


def test_a_certificate_is_checked_against_the_name_not_the_address(
    trusted: Outbound, tls_server: RawServer, path: Path
) -> None:
    names: list[str | None] = []
    context = tls_server.tls
    assert context is not None
    context.sni_callback = lambda _, name, __: names.append(name)
    assert fetch(trusted, tls_server.url(host="files.example"), path) == BODY
    assert names == ["files.example"]


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused(
    trusted: Outbound, tls_server: RawServer, path: Path, host: str
) -> None:
    with pytest.raises(NotFetched, match="not to be trusted"):
        fetch(trusted, tls_server.url(host=host), path)
    assert tls_server.talks == []


def test_a_certificate_of_an_unknown_authority_is_refused(
    outbound: Outbound, tls_server: RawServer, path: Path
) -> None:
    with pytest.raises(NotFetched, match="not to be trusted"):
        fetch(outbound, tls_server.url(host="files.example"), path)
    assert tls_server.talks == []
