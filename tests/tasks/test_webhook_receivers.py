"""Receivers that fail, refuse, hang, drip, send elsewhere, or die and come back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.framework import AsyncResult, State
from tasks.webhook_sending import Try
from tests.tasks.receiver import Receiver, break_off, drip, drip_body, hang, status
from tests.tasks.webhook_rig import WebhookRig


def attempts(webhooks: WebhookRig, job_id: str) -> list[dict[str, Any]]:
    return [dict(each) for each in webhooks.the_only(job_id).attempts]


def test_a_receiver_that_answers_500_is_asked_again_after_five_seconds(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    receiver.answers = [status(500, b"out of \x1b[31mpaper"), status(200)]
    job_id = webhooks.submit(receiver.url)
    webhooks.work()

    waiting = webhooks.the_only(job_id)
    assert (waiting.state, len(receiver.letters)) == ("pending", 1)
    assert waiting.next_attempt_at == datetime.fromtimestamp(webhooks.clock.now + 5, UTC)
    webhooks.pass_time(4)
    assert len(receiver.letters) == 1
    webhooks.pass_time(1)

    assert webhooks.the_only(job_id).state == "delivered"
    assert webhooks.the_only(job_id).next_attempt_at is None
    first, second = attempts(webhooks, job_id)
    assert (first["status"], second["status"]) == (500, 200)
    assert first["error"] == "the receiver answered HTTP 500"
    assert first["answer"] == "out of \ufffd[31mpaper"
    assert second["error"] is None
    assert first["at"] < second["at"]
    assert receiver.ids == {f"msg_{job_id}_completed"}
    stamps = [int(letter.headers["webhook-timestamp"]) for letter in receiver.letters]
    assert stamps == [int(webhooks.clock.now) - 5, int(webhooks.clock.now)]


@pytest.mark.parametrize("script", [hang, drip, drip_body], ids=lambda each: each.__name__)
def test_a_receiver_that_is_slow_on_purpose_is_left_and_asked_later(
    webhooks: WebhookRig, receiver: Receiver, script: Any
) -> None:
    receiver.answers = [script, status(200)]
    job_id = webhooks.submit(receiver.url)
    webhooks.work()
    webhooks.pass_time(5)
    webhooks.pass_time(300)

    found = attempts(webhooks, job_id)
    assert webhooks.the_only(job_id).state == "delivered"
    assert "0.4 seconds" in found[0]["error"] or found[0]["status"] == 500
    assert receiver.ids == {f"msg_{job_id}_completed"}


def test_a_receiver_that_dies_and_comes_back_gets_the_event(webhooks: WebhookRig) -> None:
    with Receiver() as receiver:
        url = receiver.url
    job_id = webhooks.submit(url)
    webhooks.work()
    assert [each["error"] for each in attempts(webhooks, job_id)] == [
        "no connection could be made"
    ] * 3
    assert len(webhooks.slept) == 2
    assert max(webhooks.slept) <= 2

    with Receiver(port=receiver.port) as back:
        webhooks.pass_time(5)
    (letter,) = back.letters
    assert letter.id == f"msg_{job_id}_completed"
    assert webhooks.the_only(job_id).state == "delivered"


def test_what_may_pass_in_a_second_is_tried_thrice_at_once(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    receiver.answers = [status(503), break_off, status(200)]
    job_id = webhooks.submit(receiver.url)
    webhooks.work()

    assert [each["status"] for each in attempts(webhooks, job_id)] == [503, None, 200]
    assert len({letter.body for letter in receiver.letters}) == 1
    assert receiver.ids == {f"msg_{job_id}_completed"}


@pytest.mark.parametrize(
    ("tried", "again"),
    [
        (Try(0, 0.1, error="no connection could be made"), True),
        (Try(0, 2.1, error="the server fell silent"), False),
        (Try(0, 0.1, status=503, error="no"), True),
        (Try(0, 2.1, status=503, error="no"), False),
        (Try(0, 0.1, status=503, error="no", retry_after=1), False),
        (Try(0, 0.1, status=500, error="no"), False),
        (Try(0, 0.1, error="not sent", blocked=True), False),
        (Try(0, 0.1, status=204), False),
    ],
)
def test_only_what_failed_quickly_is_tried_again_at_once(tried: Try, again: bool) -> None:
    assert tried.is_blip is again


def test_of_a_long_refusal_the_first_thousand_bytes_are_kept(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    receiver.answers = [status(500, b"a" * 5000)]
    job_id = webhooks.submit(receiver.url)
    webhooks.work()
    assert attempts(webhooks, job_id)[0]["answer"] == "a" * 1000


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(webhooks: WebhookRig, code: int) -> None:
    with Receiver() as inside, Receiver([status(code, Location=inside.url)]) as receiver:
        job_id = webhooks.submit(receiver.url)
        webhooks.work()
        assert inside.letters == []
    (attempt,) = attempts(webhooks, job_id)
    assert attempt["status"] == code
    assert "redirects are not followed" in attempt["error"]
    assert webhooks.the_only(job_id).state == "pending"


def test_410_stops_for_good(webhooks: WebhookRig, receiver: Receiver) -> None:
    receiver.answers = [status(410)]
    job_id = webhooks.submit(receiver.url)
    webhooks.work()
    webhooks.pass_time(100_000)

    assert len(receiver.letters) == 1
    assert webhooks.the_only(job_id).state == "failed"
    assert AsyncResult[Any](f"{job_id}.link").state is State.FAILED
