"""No address of a request leads inward: neither of a file to fetch nor of a webhook to call."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from comfy_runner.bucket import LocalBucket
from comfy_runner.errors import MediaRejected
from comfy_runner.media import Media, Policy
from comfy_runner.media.placing import place
from comfy_runner.safe_http import Outbound
from tests.comfy_runner.raw_server import RawServer, answer, giving
from tests.comfy_runner.test_addresses import INWARD, LOOPBACK_SPELLINGS
from tests.tasks.receiver import Receiver, status
from tests.tasks.webhook_rig import WebhookRig
from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import places, problem
from tests.web.real_jobs import GRAPH

ROUTES = ["/v1/jobs", "/v1/workflows/validate"]

BRACKETED = [f"[{each.replace('%', '%25')}]" if ":" in each else each for each in INWARD]

ELSEWHERE = (ipaddress.ip_network("10.9.9.9/32"),)
"""With a network that is allowed, odd ports are judged by the address alone."""


@pytest.mark.parametrize("route", ROUTES)
def test_no_route_takes_an_address_that_leads_inward(
    client: FlaskClient, jobs: MemoryJobs, route: str
) -> None:
    for host in sorted({*BRACKETED, *LOOPBACK_SPELLINGS}):
        url = f"http://{host}/latest/meta-data/"
        body = {"workflow": GRAPH, "media": [{"name": "a", "url": url}], "webhook_url": url}
        refused = problem(client.post(route, json=body), 422, "invalid_request")
        assert set(places(refused)) == {"/media/0/url", "/webhook_url"}, host
    assert jobs.submitted == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "dict://127.0.0.1:6379/",
        "ftp://files.example/a.png",
        "//127.0.0.1/",
        "http:127.0.0.1",
        "http:///127.0.0.1",
        "http://files.example@127.0.0.1/",
        "http://127.0.0.1\\@files.example/",
        "http://files.example:0/",
        "http://files.example:6379/",
        "http://files.example:99999/",
        "http://files.example/\r\nX-Injected: 1",
        "http://\uff11\uff12\uff17.0.0.1/",
        "javascript:alert(1)",
        "\x00http://files.example/",
        " http://127.0.0.1/",
    ],
)
def test_no_route_takes_an_address_that_only_looks_like_one(
    client: FlaskClient, jobs: MemoryJobs, url: str
) -> None:
    for route in ROUTES:
        body = {"workflow": GRAPH, "media": [{"name": "a", "url": url}], "webhook_url": url}
        refused = problem(client.post(route, json=body), 422, "invalid_request")
        assert set(places(refused)) == {"/media/0/url", "/webhook_url"}
    assert jobs.submitted == []


def resolving(*answers: str) -> Callable[[str, int], list[tuple[int, str]]]:
    """Return what looks a name up as each of these in turn, and then as the last for ever."""
    left = list(answers)

    def look_up(host: str, port: int) -> list[tuple[int, str]]:
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET6 if ":" in found else socket.AF_INET, found)]

    return look_up


def fetch(url: str, directory: Path, outbound: Outbound) -> None:
    """Fetch an input file as a worker does."""
    bucket = LocalBucket(directory / "bucket", b"s" * 32)
    policy = Policy(fetch_seconds=5.0)
    place([Media("a", url=url)], directory / "in", bucket=bucket, policy=policy, outbound=outbound)


@pytest.mark.parametrize("address", INWARD)
def test_a_name_that_leads_inward_is_neither_fetched_from_nor_called(
    address: str, tmp_path: Path
) -> None:
    names = resolving(address)
    with RawServer(giving(answer(b"secret"))) as server:
        url = f"http://evil.example:{server.port}/"
        with pytest.raises(MediaRejected, match="not public"):
            fetch(url, tmp_path, Outbound(ELSEWHERE, resolver=names))
        assert told_of(url, names) == {"not sent: it leads to an address that is not public"}
    assert server.connections == 0


def told_of(url: str, resolver: Any, allow: tuple[str, ...] = ("10.9.9.9/32",)) -> set[str]:
    """Return what is told of the first attempts to call a webhook."""
    with WebhookRig(allow=allow, resolver=resolver).configured() as rig:
        assert isinstance(rig, WebhookRig)
        job_id = rig.submit(url)
        rig.work()
        return {str(each["error"]) for each in rig.the_only(job_id).attempts}


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:{}/", "http://2130706434:{}/", "//127.0.0.2:{}"]
)
def test_a_redirect_inward_reaches_nothing(target: str, tmp_path: Path) -> None:
    with Receiver() as outside, Receiver(port=outside.port, address="127.0.0.2") as inside:
        away = status(302, b"", Location=target.format(outside.port))
        outside.answers = [away, away, away]
        assert told_of(outside.url, resolving("127.0.0.1"), ("127.0.0.1/32",))
        assert inside.letters == []
    with RawServer(lambda talk: talk.say(moved)) as server:
        moved = answer(b"", f"Location: {target.format(server.port)}", status="302 Found")
        twin = RawServer(giving(answer(b"secret")), "127.0.0.2", port=server.port)
        outbound = Outbound((ipaddress.ip_network("127.0.0.1/32"),))
        with twin, pytest.raises(MediaRejected, match="not public"):
            fetch(server.url(), tmp_path, outbound)
    assert twin.connections == 0


def test_a_name_that_turns_inward_between_two_attempts_reaches_nothing(tmp_path: Path) -> None:
    names = resolving("127.0.0.1", "127.0.0.2")
    with RawServer(giving(answer(b"", status="503 Busy"))) as outside:
        twin = RawServer(giving(answer(b"secret")), "127.0.0.2", port=outside.port)
        outbound = Outbound((ipaddress.ip_network("127.0.0.1/32"),), resolver=names)
        with twin, pytest.raises(MediaRejected, match="not public"):
            fetch(f"http://rebinding.example:{outside.port}/", tmp_path, outbound)
    assert (outside.connections, twin.connections) == (1, 0)
