"""No name, redirect or spelling turns a request inward: nothing even connects."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import pytest

from comfy_runner.addresses import BlockedAddress, Network
from comfy_runner.safe_http import NotFetched, Outbound
from tests.comfy_runner.raw_server import RawServer, answer, giving
from tests.comfy_runner.test_addresses import INWARD, LOOPBACK_SPELLINGS

ONE = (ipaddress.ip_network("127.0.0.1/32"),)


class Names:
    """A resolver that gives each lookup its next answer, and the last one ever after."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[tuple[int, str]]:
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, each) for each in found]


def refused(outbound: Outbound, url: str, directory: Path) -> str:
    with pytest.raises(BlockedAddress) as caught:
        outbound.download(url, directory / "file", max_bytes=1000, seconds=10)
    return str(caught.value)


@pytest.mark.parametrize("address", INWARD)
def test_a_name_that_leads_inside_is_refused(address: str, tmp_path: Path) -> None:
    names = Names([address])
    assert "not public" in refused(Outbound(resolver=names), "http://evil.example/", tmp_path)
    assert names.asked == ["evil.example"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nothing_connects_to_a_server_inside(address: str, scheme: str, tmp_path: Path) -> None:
    with RawServer(giving(answer(b"secret")), address) as server:
        outbound = Outbound(ALLOWED_ELSEWHERE, resolver=Names([address]))
        url = f"{scheme}://evil.example:{server.port}/"
        assert "not public" in refused(outbound, url, tmp_path)
    assert server.connections == 0


ALLOWED_ELSEWHERE: tuple[Network, ...] = (ipaddress.ip_network("10.9.9.9/32"),)
"""With a network that is allowed, odd ports are judged by the address alone."""


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
def test_no_spelling_of_loopback_connects(host: str, tmp_path: Path) -> None:
    outbound = Outbound(ALLOWED_ELSEWHERE)
    # Whether a name below localhost is known at all is the system's affair.
    refusal = pytest.raises((BlockedAddress, NotFetched))
    with RawServer(giving(answer(b"secret"))) as server, refusal:
        url = f"http://{host}:{server.port}/"
        outbound.download(url, tmp_path / "file", max_bytes=10, seconds=10)
    assert server.connections == 0


@pytest.mark.parametrize("inside", ["127.0.0.2", "10.0.0.1", "::ffff:169.254.169.254"])
@pytest.mark.parametrize("first", [True, False])
def test_one_bad_address_among_good_ones_refuses_the_name(
    inside: str, first: bool, tmp_path: Path
) -> None:
    with RawServer(giving(answer(b"x"))) as server:
        found = [inside, "127.0.0.1"] if first else ["127.0.0.1", inside]
        outbound = Outbound(ONE, resolver=Names(found))
        refused(outbound, f"http://mixed.example:{server.port}/", tmp_path)
    assert server.connections == 0


def test_a_name_that_changes_after_the_check_is_not_asked_again(tmp_path: Path) -> None:
    with RawServer(giving(answer(b"good"))) as good, Twin(good) as bad:
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        outbound = Outbound(ONE, resolver=names)
        url = f"http://rebinding.example:{good.port}/"
        outbound.download(url, tmp_path / "file", max_bytes=1000, seconds=10)
    assert (tmp_path / "file").read_bytes() == b"good"
    assert names.asked == ["rebinding.example"]
    assert bad.connections == 0


def Twin(server: RawServer) -> RawServer:  # noqa: N802 (it makes a server)
    """Return a server on the same port of another loopback address, which is not allowed."""
    return RawServer(giving(answer(b"secret")), "127.0.0.2", port=server.port)


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/",
        "http://2130706434:{port}/",
        "http://0x7f.2:{port}/",
        "http://[::ffff:127.0.0.2]:{port}/",
        "//127.0.0.2:{port}/",
        "http://inside.example:{port}/",
        "http://me@127.0.0.1:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://127.0.0.2\\@127.0.0.1:{port}/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:{port}/",
        "data:image/png;base64,AAAA",
    ],
)
def test_a_redirect_is_checked_like_the_first_address(target: str, tmp_path: Path) -> None:
    server = RawServer(lambda talk: talk.say(location))
    with server, Twin(server) as twin:
        location = answer(b"", f"Location: {target.format(port=server.port)}", status="302 Found")
        outbound = Outbound(ONE, resolver=Names(["127.0.0.1"], ["127.0.0.2"]))
        refused(outbound, f"http://good.example:{server.port}/", tmp_path)
    assert twin.connections == 0
    assert len(server.talks) == 1


def test_a_name_is_looked_up_anew_and_checked_anew_after_a_redirect(tmp_path: Path) -> None:
    server = RawServer(lambda talk: talk.say(answer(b"", "Location: /b", status="307 X")))
    with server, Twin(server) as twin:
        outbound = Outbound(ONE, resolver=Names(["127.0.0.1"], ["127.0.0.2"]))
        refused(outbound, f"http://good.example:{server.port}/", tmp_path)
    assert twin.connections == 0


def test_the_address_that_was_really_reached_is_checked_too(tmp_path: Path) -> None:
    # To connect to 0.0.0.0 is to connect to this machine.
    anywhere = (ipaddress.ip_network("0.0.0.0/32"),)
    with RawServer(giving(answer(b"secret"))) as server:
        outbound = Outbound(anywhere, resolver=Names(["0.0.0.0"]))
        refused(outbound, f"http://any.example:{server.port}/", tmp_path)
    assert server.talks == []


@pytest.mark.parametrize("port", [22, 6379, 8188])
def test_a_public_address_is_reached_on_the_ports_of_http_only(port: int, tmp_path: Path) -> None:
    outbound = Outbound(ALLOWED_ELSEWHERE, resolver=Names(["8.8.8.8"]))
    message = refused(outbound, f"http://public.example:{port}/", tmp_path)
    assert f"port is {port}" in message


@pytest.mark.parametrize(
    "host", ["\uff11\uff12\uff17.0.0.2", "\u24d4vil.example", "127\u30020\u30020\u30022"]
)
def test_a_host_that_is_not_ascii_is_refused(host: str, tmp_path: Path) -> None:
    refused(Outbound(ONE, resolver=Names(["127.0.0.1"])), f"http://{host}/", tmp_path)


def test_the_message_tells_nothing_of_what_is_inside(tmp_path: Path) -> None:
    outbound = Outbound(resolver=Names(["10.1.2.3"]))
    assert "10.1" not in refused(outbound, "http://evil.example/", tmp_path)
