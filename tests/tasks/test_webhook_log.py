"""The log of a job's events, and sending them anew, whatever is or has been going on."""

from __future__ import annotations

from typing import Any

import pytest

from tasks import jobs, webhook_log
from tasks.framework import AsyncResult, State
from tasks.webhook_log import NothingToRedeliver
from tests.tasks.receiver import Receiver, status
from tests.tasks.webhook_rig import WebhookRig


def test_an_end_whose_event_is_still_to_be_sent_is_pending(webhooks: WebhookRig) -> None:
    job_id = webhooks.submit("http://127.0.0.1:9/")
    webhooks.work_once()
    found = webhooks.the_only(job_id)
    assert (found.state, found.attempts, found.next_attempt_at) == ("pending", (), None)


def test_an_end_whose_delivery_was_lost_or_purged_is_sent_on_request(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    job_id = webhooks.submit(receiver.url)
    webhooks.work()
    AsyncResult[Any](f"{job_id}.link").forget()
    assert webhooks.the_only(job_id).state == "pending"

    webhooks.redeliver(job_id)
    assert webhooks.the_only(job_id).state == "delivered"
    assert len(receiver.letters) == 2
    assert receiver.ids == {f"msg_{job_id}_completed"}


def test_a_request_brings_the_next_round_forward_and_takes_its_place(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    receiver.answers = [status(500), status(200)]
    job_id = webhooks.submit(receiver.url)
    webhooks.work()
    webhooks.redeliver(job_id)

    assert webhooks.the_only(job_id).state == "delivered"
    assert AsyncResult[Any](f"{job_id}.link").state is State.REVOKED
    webhooks.pass_time(10)
    assert len(receiver.letters) == 2


def test_an_event_about_to_be_sent_is_not_sent_twice(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    job_id = webhooks.submit(receiver.url)
    webhooks.work_once()
    for _ in range(3):
        webhook_log.redeliver(jobs.get(job_id))
    webhooks.work()
    assert len(receiver.letters) == 1
    assert AsyncResult[Any](f"{job_id}.link").state is State.SUCCEEDED


def test_a_delivery_given_up_long_ago_begins_anew_with_all_of_its_rounds(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    receiver.answers = [status(410), status(500)]
    job_id = webhooks.submit(receiver.url)
    webhooks.work()
    webhooks.redeliver(job_id)
    due = webhooks.the_only(job_id).next_attempt_at
    assert due
    assert due.timestamp() == webhooks.clock.now + 5


def test_nothing_is_sent_anew_before_it_has_happened(webhooks: WebhookRig) -> None:
    job_id = webhooks.submit("http://127.0.0.1:9/")
    with pytest.raises(NothingToRedeliver):
        webhook_log.redeliver(jobs.get(job_id))


def test_an_event_of_a_deleted_job_is_given_up(webhooks: WebhookRig, receiver: Receiver) -> None:
    job_id = webhooks.submit(receiver.url)
    webhooks.work_once()
    AsyncResult[Any](job_id).forget()
    webhooks.work()
    assert receiver.letters == []
    assert AsyncResult[Any](f"{job_id}.link").state is State.FAILED


def test_nothing_that_is_secret_is_logged(
    webhooks: WebhookRig, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [status(400, b"body of the answer")]
    with caplog.at_level("DEBUG"):
        job_id = webhooks.submit(receiver.url)
        webhooks.work()
    text = caplog.text
    assert f"msg_{job_id}_completed to 127.0.0.1" in text
    for secret in ("s3cret", "whsec_", "MfKQ9r8", "v1,", "body of the answer", "job.completed"):
        assert secret not in text
