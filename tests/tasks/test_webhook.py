"""The webhook of a job: what its receiver gets, from whom, when and how often."""

from __future__ import annotations

import pytest
from standardwebhooks import WebhookVerificationError

from comfy_runner.errors import NodeFailed
from comfy_runner.outputs import Output
from comfy_runner.work import Listener
from settings import Settings
from tasks import jobs
from tasks.framework import State
from tasks.framework.reading import read
from tests.tasks.receiver import SECRET, Receiver, status
from tests.tasks.webhook_rig import BASE, GRAPH, WebhookRig, an_output

OTHER_SECRET = "whsec_" + "QUJD" * 10


def draw(listener: Listener) -> tuple[Output, ...]:
    return (an_output(),)


def test_a_completed_job_is_told_once_signed_and_as_the_api_tells_it(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    webhooks.script = draw
    job_id = webhooks.submit(receiver.url)
    webhooks.work()

    (letter,) = receiver.letters
    told = letter.verified()
    assert told["type"] == "job.completed"
    assert told["data"] == webhooks.document(job_id, BASE)
    assert told["timestamp"] == told["data"]["completed_at"]
    assert told["data"]["outputs"][0]["url"] == f"{BASE}/files/outputs/j/1/0000-a.png"
    assert letter.id == f"msg_{job_id}_completed"
    assert letter.path == "/hook?token=s3cret"
    assert letter.headers["content-type"] == "application/json"
    assert letter.headers["webhook-timestamp"] == str(int(webhooks.clock.now))


def test_the_job_says_where_it_is_told_without_what_may_be_secret(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    document = webhooks.document(webhooks.submit(receiver.url), BASE)
    assert document
    assert document["webhook"] == {
        "url": f"http://127.0.0.1:{receiver.port}/hook",
        "events": ["job.completed", "job.failed", "job.cancelled"],
    }


def fail(listener: Listener) -> tuple[Output, ...]:
    raise NodeFailed("no")


def test_a_failed_job_is_told(webhooks: WebhookRig, receiver: Receiver) -> None:
    webhooks.script = fail
    webhooks.submit(receiver.url)
    webhooks.work()

    (letter,) = receiver.letters
    assert letter.verified()["type"] == "job.failed"
    assert letter.json["data"]["error"]["code"] == "node_failed"


def test_a_cancelled_job_is_told(webhooks: WebhookRig, receiver: Receiver) -> None:
    jobs.cancel(webhooks.submit(receiver.url))
    webhooks.work()

    (letter,) = receiver.letters
    assert letter.verified()["type"] == "job.cancelled"


def test_a_job_that_expired_in_the_queue_is_told_as_failed(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    webhooks.submit(receiver.url)
    webhooks.backend.lose_all()
    webhooks.pass_time(400)

    (letter,) = receiver.letters
    assert letter.json["type"] == "job.failed"
    assert letter.json["data"]["error"]["code"] == "expired"


def test_a_job_whose_workers_died_is_told_as_failed(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    job_id = webhooks.submit(receiver.url)
    webhooks.backend.lose_all()
    for _ in range(2):  # each claims it and is never heard of again
        webhooks.protocol.claim(job_id, worker="w", wait=lambda: None)
        webhooks.clock.now += 10
    webhooks.pass_time(10)

    (letter,) = receiver.letters
    assert letter.json["data"]["error"]["code"] == "worker_lost"


def test_a_worker_that_dies_between_the_end_and_the_link_costs_no_event(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    job_id = webhooks.submit(receiver.url)
    webhooks.backend.lose_all()
    claim = webhooks.protocol.claim(job_id, worker="w", wait=lambda: None)
    assert claim
    # the decision is written, and nothing that follows from it
    ending = {"state": State.SUCCEEDED, "result": {"outputs": []}, "ended": webhooks.clock.now}
    webhooks.store.add(f"final:{job_id}", {**claim.job.to_json(), **ending})
    assert receiver.letters == []

    webhooks.pass_time(10)
    webhooks.pass_time(10)

    (letter,) = receiver.letters
    assert letter.json["type"] == "job.completed"
    assert webhooks.left() == []


def test_an_end_that_is_met_twice_is_told_once(webhooks: WebhookRig, receiver: Receiver) -> None:
    job_id = webhooks.submit(receiver.url)
    webhooks.work()
    final = webhooks.protocol.final(job_id)
    assert final
    for _ in range(3):
        webhooks.protocol.finish(final)
        webhooks.work()

    assert len(receiver.letters) == 1


@pytest.mark.parametrize("wanted", ["job.failed", "job.started", "job.output"])
def test_an_end_that_nobody_asked_for_is_not_told(
    webhooks: WebhookRig, receiver: Receiver, wanted: str
) -> None:
    job_id = webhooks.submit(receiver.url, wanted)
    webhooks.work()

    assert "job.completed" not in {letter.json["type"] for letter in receiver.letters}
    assert [each.type for each in webhooks.told(job_id)] in ([], ["job.started"])
    has_run = [read(webhooks.protocol, f"{job_id}.link") is not None]
    assert has_run == [wanted == "job.failed"]


def test_a_job_without_a_webhook_sends_nothing(webhooks: WebhookRig) -> None:
    job = jobs.submit(GRAPH, user_id="u", settings=Settings())
    webhooks.work()
    assert webhooks.told(job.job_id) == ()
    assert not list(webhooks.archive.list(task="tasks.webhook.deliver_webhook", limit=9))


def test_every_secret_signs_so_that_they_can_be_rotated(receiver: Receiver) -> None:
    rig = WebhookRig(secrets=(OTHER_SECRET, SECRET))
    with rig.configured():
        rig.submit(receiver.url)
        rig.work()
    (letter,) = receiver.letters
    assert letter.verified(SECRET) == letter.verified(OTHER_SECRET)
    with pytest.raises(WebhookVerificationError):
        letter.verified("whsec_" + "QUJE" * 10)


def test_links_to_files_are_signed_anew_for_every_round(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    webhooks.script = draw
    receiver.answers = [status(500), status(200)]
    webhooks.submit(receiver.url)
    webhooks.work()
    old = webhooks.document
    webhooks.courier.document = lambda job_id, base: old(job_id, f"{base}/later")
    webhooks.pass_time(5)

    first, second = receiver.letters
    assert first.json["data"]["outputs"][0]["url"].startswith(f"{BASE}/files")
    assert second.json["data"]["outputs"][0]["url"].startswith(f"{BASE}/later/files")
    assert second.json["timestamp"] == first.json["timestamp"]
    assert first.id == second.id
