"""Which addresses and URLs pass before anything is sent."""

from __future__ import annotations

import ipaddress

import pytest

from comfy_runner.addresses import BlockedAddress, check, is_public, parse, vet

INWARD = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",  # metadata of AWS, Google, Azure and others
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]

OUTWARD = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("text", INWARD)
def test_an_address_inside_is_not_public(text: str) -> None:
    assert not is_public(parse(text))


@pytest.mark.parametrize("text", OUTWARD)
def test_an_address_outside_is_public(text: str) -> None:
    assert is_public(parse(text))


def test_an_allowed_network_is_open_on_every_port_and_no_other_is() -> None:
    allow = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00:1::/32"))
    check(parse("10.1.2.3"), 8188, allow)
    check(parse("::ffff:10.1.2.3"), 8188, allow)
    check(parse("fd00:1::7"), 22, allow)
    for inside in ("10.2.0.1", "fd00:2::1", "::1"):
        with pytest.raises(BlockedAddress, match="not public"):
            check(parse(inside), 80, allow)


@pytest.mark.parametrize("port", [0, 22, 25, 8080, 6379, 65535])
def test_a_public_address_is_open_on_the_ports_of_http_only(port: int) -> None:
    check(parse("8.8.8.8"), 80, ())
    check(parse("8.8.8.8"), 443, ())
    with pytest.raises(BlockedAddress, match=f"port is {port}"):
        check(parse("8.8.8.8"), port, ())


LOOPBACK_SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7F.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "0",
    "127.0.0.1.",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[fe80::1%25eth0]",
]


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
@pytest.mark.parametrize("scheme", ["http", "https", "HTTPS"])
def test_loopback_is_refused_in_every_spelling(scheme: str, host: str) -> None:
    with pytest.raises(BlockedAddress, match="not public"):
        vet(f"{scheme}://{host}/a.png", ())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/a", "must begin with"),
        ("file:///etc/passwd", "must begin with"),
        ("gopher://example.com/", "must begin with"),
        ("//example.com/a", "must begin with"),
        ("example.com/a", "must begin with"),
        ("", "must begin with"),
        ("https://user@example.com/", "user or password"),
        ("https://user:secret@example.com/", "user or password"),
        ("https://@example.com/", "user or password"),
        ("https:///a", "no host"),
        ("https://./a", "no host"),
        ("https://example.com:99999/", "malformed"),
        ("https://example.com:x/", "malformed"),
        ("https://[::1/", "malformed"),
        ("https://example.com:0/", "port is 0"),
        ("https://example.com:8443/", "port is 8443"),
        ("http://example.com:22/", "port is 22"),
        ("https://exa mple.com/", "must be escaped"),
        ("https://example.com/\n", "must be escaped"),
        ("https://example.com\t/", "must be escaped"),
        ("https://example.com\\@127.0.0.1/", "must be escaped"),
        ("https://\u2460\u2461\u2466.0.0.1/", "must be escaped"),
        ("https://example.com/" + "a" * 4000, "more than 4000"),
    ],
)
def test_a_url_that_is_not_plain_http_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(BlockedAddress, match=reason):
        vet(url, ())


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.png?sig=%2F#x",
        "http://example.com",
        "https://example.com:443/",
        "http://8.8.8.8:80/",
        "https://[2606:4700::1111]/a",
        "https://xn--bcher-kva.example/",
    ],
)
def test_a_plain_public_url_passes(url: str) -> None:
    vet(url, ())


def test_with_an_allowed_network_names_and_ports_are_left_to_the_lookup() -> None:
    allow = (ipaddress.ip_network("127.0.0.0/8"),)
    vet("http://localhost:8188/", allow)
    vet("http://127.0.0.1:8188/", allow)
    with pytest.raises(BlockedAddress, match="not public"):
        vet("http://10.0.0.1:8188/", allow)
