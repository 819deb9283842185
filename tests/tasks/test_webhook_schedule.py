"""When an event is sent again, for how long, and where it is never sent."""

from __future__ import annotations

import ipaddress
import random
import socket
from email.utils import formatdate
from typing import Any

import pytest

from comfy_runner.addresses import BlockedAddress
from comfy_runner.safe_http import Outbound
from tasks.webhook import JITTER, SCHEDULE
from tasks.webhook_sending import read_retry_after
from tests.tasks.receiver import Receiver, status
from tests.tasks.webhook_rig import WebhookRig


def pauses(rig: WebhookRig, job_id: str) -> list[float]:
    """Let the event fail until it is given up; return how long each pause was."""
    rig.work()
    found = []
    while (due := rig.the_only(job_id).next_attempt_at) is not None:
        found.append(due.timestamp() - rig.clock.now)
        rig.pass_time(found[-1] + 1)
    return found


@pytest.mark.parametrize("code", [500, 302, 408, 409, 422, 429])
def test_an_event_that_is_not_taken_is_sent_for_three_days_and_then_given_up(
    webhooks: WebhookRig, receiver: Receiver, code: int
) -> None:
    receiver.answers = [status(code)]
    job_id = webhooks.submit(receiver.url)
    begun = webhooks.clock.now

    assert pauses(webhooks, job_id) == list(SCHEDULE)
    hours = [seconds / 3600 for seconds in SCHEDULE[3:]]
    assert (SCHEDULE[:3], hours) == ((5, 300, 1800), [2, 5, 10, 14, 20, 24])
    assert webhooks.clock.now - begun > 3 * 86_400
    found = webhooks.the_only(job_id)
    assert (found.state, len(found.attempts)) == ("failed", 10)
    assert receiver.ids == {f"msg_{job_id}_completed"}
    webhooks.pass_time(10**6)
    assert len(receiver.letters) == 10


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_a_receiver_that_refuses_is_asked_three_times_only(
    webhooks: WebhookRig, receiver: Receiver, code: int
) -> None:
    receiver.answers = [status(code)]
    job_id = webhooks.submit(receiver.url)

    assert pauses(webhooks, job_id) == [5, 300]
    assert webhooks.the_only(job_id).state == "failed"
    assert len(receiver.letters) == 3


@pytest.mark.parametrize(
    ("asked", "pause"),
    [("60", 60), ("3", 5), ("7200", 3600), ("soon", 5), ("-1", 5), ("", 5), ("9" * 30, 5)],
)
@pytest.mark.parametrize("code", [429, 503])
def test_a_receiver_may_ask_for_more_time_up_to_an_hour(
    webhooks: WebhookRig, receiver: Receiver, code: int, asked: str, pause: float
) -> None:
    receiver.answers = [status(code, Retry_After=asked), status(code)]
    job_id = webhooks.submit(receiver.url)
    webhooks.work()
    if read_retry_after(asked, 0) is not None:
        assert len(receiver.letters) == 1  # and no quick try

    due = webhooks.the_only(job_id).next_attempt_at
    assert due
    assert due.timestamp() - webhooks.clock.now == pause


def test_the_time_a_receiver_asks_for_may_be_a_date() -> None:
    assert read_retry_after(formatdate(1_000_090, usegmt=True), 1_000_000) == 90
    assert read_retry_after(formatdate(999_000, usegmt=True), 1_000_000) == 0


def test_pauses_are_spread_out_a_little(webhooks: WebhookRig, receiver: Receiver) -> None:
    receiver.answers = [status(500)]
    webhooks.courier.chance = random.Random(7)
    for seconds, pause in zip(
        SCHEDULE, pauses(webhooks, webhooks.submit(receiver.url)), strict=True
    ):
        assert seconds < pause <= seconds * (1 + JITTER)


def test_a_fault_of_ours_does_not_end_the_delivery(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    job_id = webhooks.submit(receiver.url)
    document = webhooks.courier.document

    def broken(job_id: str, base: str) -> Any:
        raise OSError("the store is out of reach")

    webhooks.courier.document = broken
    webhooks.work()
    assert (receiver.letters, webhooks.the_only(job_id).state) == ([], "pending")
    webhooks.courier.document = document
    webhooks.pass_time(6)
    assert webhooks.the_only(job_id).state == "delivered"


# -- inward --------------------------------------------------------------------------------------


def leading_to(*addresses: str) -> Any:
    """Return what looks every name up as these addresses, in turn, one look each."""
    left = list(addresses)

    def look_up(host: str, port: int) -> list[tuple[int, str]]:
        address = left.pop(0) if len(left) > 1 else left[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, address)]

    return look_up


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00:ec2::254"],
)
def test_a_name_that_leads_inward_is_not_called_and_soon_given_up(
    receiver: Receiver, address: str
) -> None:
    rig = WebhookRig(allow=("192.0.2.0/24",), resolver=leading_to(address))
    with rig.configured():
        job_id = rig.submit(f"http://hook.example:{receiver.port}/")
        assert pauses(rig, job_id) == [5, 300]
        found = rig.the_only(job_id)
    assert receiver.letters == []
    assert found.state == "failed"
    assert {each["error"] for each in found.attempts} == {
        "not sent: it leads to an address that is not public"
    }
    assert rig.slept == []


def test_a_name_is_looked_up_and_judged_anew_for_each_round(receiver: Receiver) -> None:
    receiver.answers = [status(500)]
    names = leading_to("127.0.0.1", "127.0.0.2")
    rig = WebhookRig(allow=("127.0.0.1/32",), resolver=names)
    with rig.configured(), Receiver(port=receiver.port, address="127.0.0.2") as inside:
        rig.submit(f"http://hook.example:{receiver.port}/")
        rig.work()
        rig.pass_time(5)
        assert (len(receiver.letters), len(inside.letters)) == (1, 0)


@pytest.mark.parametrize("url", ["http://u:p@127.0.0.1/", "http://[::1]/", "ftp://127.0.0.1/"])
def test_a_post_is_refused_like_a_download(url: str) -> None:
    outbound = Outbound((ipaddress.ip_network("127.0.0.0/8"),))
    with pytest.raises(BlockedAddress):
        outbound.post(url, b"{}", {}, seconds=1)
