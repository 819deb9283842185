"""Which addresses are public: where a request may go that was made for somebody else."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS = {"http": 80, "https": 443}
"""The schemes that are spoken, with the only ports that are open to them on public addresses."""

LONGEST_URL = 4000

_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            # Beyond what the ipaddress module of one Python version or another calls private
            # (IANA's special-purpose registries): translated and tunnelled addresses carry an
            # inner IPv4 address that may be anything, and Azure answers on one public address.
            "0.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service too
            "168.63.129.16/32",  # Azure's own services
            "192.0.0.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "198.18.0.0/15",
            "240.0.0.0/4",
            "::/96",  # IPv4-compatible
            "::ffff:0:0:0/96",  # IPv4-translated (SIIT)
            "64:ff9b::/96",  # NAT64
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",  # Teredo, ORCHID and others
            "2001:db8::/32",
            "2002::/16",  # 6to4
            "3fff::/20",
            "5f00::/16",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",  # site-local, deprecated
        ),
    )
)


class BlockedAddress(Exception):  # not an OSError: requests would take it for a failed connection
    """A URL leads where it must not; trying again does not help. The message names no address."""


def parse(text: str) -> Address:
    """Return the address that a socket means; a mapped IPv4 address is the inner one."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_public(address: Address) -> bool:
    """Tell whether the address belongs to the public Internet, and to nobody in particular."""
    if any(address in network for network in _NOT_PUBLIC):  # of another version: not in it
        return False
    return address.is_global and not address.is_multicast


def check(address: Address, port: int, allow: Collection[Network]) -> None:
    """Let only public addresses pass, on the ports of HTTP; those in `allow` on any port.

    Raises:
        BlockedAddress: It is neither.
    """
    if any(address in network for network in allow):
        return
    if not is_public(address):
        raise BlockedAddress("it leads to an address that is not public")
    if port not in PORTS.values():
        raise BlockedAddress(f"its port is {port}; only 80 and 443 may be used")


def vet(url: str, allow: Collection[Network]) -> None:
    """Check all of a URL that can be checked before its name is looked up.

    Raises:
        BlockedAddress: It is malformed, not HTTP, carries a user or password, or names an
            address literally, in whatever spelling, that may not be reached.
    """
    if len(url) > LONGEST_URL:
        raise BlockedAddress(f"it has more than {LONGEST_URL} characters")
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise BlockedAddress("it holds a character that must be escaped, or a host not in ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BlockedAddress("it is malformed") from error
    if parts.scheme not in PORTS:
        raise BlockedAddress("it must begin with https:// or http://")
    if "@" in parts.netloc:
        raise BlockedAddress("it must not carry a user or password")
    if not host.strip("."):
        raise BlockedAddress("it names no host")
    _vet_place(host.rstrip("."), port if port is not None else PORTS[parts.scheme], allow)


def _vet_place(host: str, port: int, allow: Collection[Network]) -> None:
    literal = _literal(host)
    if literal is not None:
        check(literal, port, allow)
    elif not allow and (host.lower() == "localhost" or host.lower().endswith(".localhost")):
        raise BlockedAddress("it leads to an address that is not public")
    elif not allow and port not in PORTS.values():
        raise BlockedAddress(f"its port is {port}; only 80 and 443 may be used")


def _literal(host: str) -> Address | None:
    """Return the address that `host` spells, 127.1 and 0x7f000001 included, if it is one."""
    try:
        return parse(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
