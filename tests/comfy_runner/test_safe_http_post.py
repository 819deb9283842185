"""A message to somebody else's server: its answer, and no more of it than is wanted."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from comfy_runner.safe_http import NotFetched, Outbound
from tests.tasks.receiver import Receiver, break_off, drip, drip_body, hang, status

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


def named(host: str, port: int) -> list[tuple[int, str]]:
    """Every name leads to this machine."""
    return [(socket.AF_INET, "127.0.0.1")]


@pytest.fixture
def outbound() -> Outbound:
    return Outbound(LOOPBACK, resolver=named)


def test_the_very_bytes_arrive_with_the_headers_given(outbound: Outbound) -> None:
    body = '{"a": "é"}'.encode()
    with Receiver([status(201, b"thanks")]) as receiver:
        answer = outbound.post(receiver.url, body, {"X-A": "1"}, seconds=5)
    (letter,) = receiver.letters
    assert (letter.body, letter.headers["x-a"]) == (body, "1")
    assert letter.headers["accept-encoding"] == "identity"
    assert (answer.status, answer.body) == (201, b"")


def test_a_proxy_and_a_netrc_of_the_environment_are_not_used(
    outbound: Outbound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with Receiver() as proxy, Receiver() as receiver:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        outbound.post(f"http://hook.example:{receiver.port}/", b"{}", {}, seconds=5)
    assert proxy.letters == []
    assert "authorization" not in receiver.letters[0].headers
    assert receiver.letters[0].headers["host"] == f"hook.example:{receiver.port}"


@pytest.mark.parametrize("sent", [0, 1, 999, 1000, 1001, 10**6])
def test_the_beginning_of_a_refusal_is_read_and_no_more(outbound: Outbound, sent: int) -> None:
    with Receiver([status(500, b"a" * sent)]) as receiver:
        answer = outbound.post(receiver.url, b"{}", {}, seconds=5, max_bytes=1000)
    assert answer.body == b"a" * min(sent, 1000)


def test_a_redirect_is_an_answer(outbound: Outbound) -> None:
    with Receiver() as other, Receiver([status(307, Location=other.url)]) as receiver:
        assert outbound.post(receiver.url, b"{}", {}, seconds=5).status == 307
        assert other.letters == []


@pytest.mark.parametrize("script", [hang, drip], ids=["hang", "drip"])
def test_a_server_that_does_not_answer_is_left_when_the_time_is_up(
    outbound: Outbound, script: object
) -> None:
    with Receiver([script]) as receiver, pytest.raises(NotFetched, match=r"more than 0\.3 sec"):  # type: ignore[list-item]  # parametrized
        outbound.post(receiver.url, b"{}", {}, seconds=0.3)


def test_a_refusal_that_never_ends_is_a_refusal(outbound: Outbound) -> None:
    with Receiver([drip_body]) as receiver:
        answer = outbound.post(receiver.url, b"{}", {}, seconds=0.3)
    assert answer.status == 500
    assert set(answer.body) == {ord("a")}


def test_an_answer_that_breaks_off_is_none(outbound: Outbound) -> None:
    with Receiver([break_off]) as receiver, pytest.raises(NotFetched, match="broke off"):
        outbound.post(receiver.url, b"{}", {}, seconds=5)


def test_a_server_that_cannot_prove_its_name_gets_nothing(tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    outbound = Outbound(LOOPBACK, resolver=named, authorities=tmp_path / "ca.pem")
    for issuer, name, fine in (
        (authority, "hook.example", True),
        (authority, "other.example", False),
        (stranger, "hook.example", False),
    ):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(name).configure_cert(context)
        with Receiver(tls=context) as receiver:
            url = f"https://hook.example:{receiver.port}/"
            if fine:
                assert outbound.post(url, b"{}", {}, seconds=5).status == 204
                continue
            with pytest.raises(NotFetched, match="certificate"):
                outbound.post(url, b"{}", {}, seconds=5)
            assert receiver.letters == []
