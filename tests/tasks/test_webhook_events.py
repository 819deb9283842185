"""What is told of a job while it runs, without the job waiting for it or failing by it."""

from __future__ import annotations

import threading
import time
from datetime import datetime

import pytest

from comfy_runner.errors import NodeFailed
from comfy_runner.outputs import Output
from comfy_runner.work import Listener
from tasks import jobs
from tasks.framework import AsyncResult
from tasks.framework.reading import read
from tasks.framework.stores import Json
from tasks.framework.stores.memory import MemoryStore
from tasks.jobs import Status
from tasks.webhook_events import MOST_OUTPUTS, announcing
from tasks.webhook_target import EVENTS
from tests.tasks.receiver import Receiver
from tests.tasks.webhook_rig import WebhookRig, an_output, wait_for_announcers
from tests.waiting import eventually


def two_pictures(listener: Listener) -> tuple[Output, ...]:
    first, second = an_output("a.png"), an_output("b.png")
    listener.outputs((first,))
    listener.outputs((first, second))
    return (first, second)


def types(receiver: Receiver) -> list[str]:
    return [letter.json["type"] for letter in receiver.letters]


def test_the_begin_each_output_and_the_end_are_told_once_each(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    def for_an_hour(listener: Listener) -> tuple[Output, ...]:
        webhooks.clock.now += 1800
        outputs = two_pictures(listener)
        webhooks.clock.now += 1800
        return outputs

    webhooks.script = for_an_hour
    begun = webhooks.clock.now
    job_id = webhooks.submit(receiver.url, *EVENTS)
    webhooks.work()

    moments = {
        datetime.fromisoformat(each.json["timestamp"]).timestamp() - begun: each.json["type"]
        for each in receiver.letters
    }
    assert moments == {0: "job.started", 1800: "job.output", 3600: "job.completed"}
    assert sorted(types(receiver)) == ["job.completed", "job.output", "job.output", "job.started"]
    assert len(receiver.ids) == 4
    for letter in receiver.letters:
        assert letter.json["data"]["job_id"] == job_id
        assert letter.json["timestamp"].endswith("Z")
    told = webhooks.told(job_id)
    assert [each.type for each in told] == [
        *("job.started", "job.output", "job.output", "job.completed")
    ]
    assert {each.id for each in told} == receiver.ids
    assert {each.state for each in told} == {"delivered"}
    started = next(each for each in receiver.letters if each.json["type"] == "job.started")
    assert started.id == f"msg_{job_id}_started"
    assert started.json["timestamp"] == started.json["data"]["started_at"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [("job.started", ["job.started"]), ("job.output", ["job.output"] * 2), ("job.failed", [])],
)
def test_only_what_was_asked_for_is_told(
    webhooks: WebhookRig, receiver: Receiver, wanted: str, told: list[str]
) -> None:
    webhooks.script = two_pictures
    job_id = webhooks.submit(receiver.url, wanted)
    webhooks.work()
    assert types(receiver) == told
    has_run = read(webhooks.protocol, f"{job_id}.started") is not None
    assert has_run is (wanted == "job.started")


def test_an_output_is_told_of_only_once_who_reads_the_job_can_see_it(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    def sent() -> list[str]:
        found = [each["id"] for each in [*webhooks.backend.waiting.values()]]
        return [each for each in found if ".output." in each]

    def tell_late(listener: Listener) -> tuple[Output, ...]:
        webhook = jobs.get(job_id).webhook
        assert webhook
        with announcing(job_id, webhook.to_json()) as announcer:
            assert announcer
            announcer.outputs((an_output(),))
            time.sleep(0.2)
            assert sent() == []
            listener.outputs((an_output(),))
            eventually(sent)
        return (an_output(),)

    webhooks.script = tell_late
    job_id = webhooks.submit(receiver.url, "job.output")
    webhooks.work()
    assert types(receiver) == ["job.output"]
    assert jobs.get(job_id).status is Status.COMPLETED


def test_a_job_is_told_of_while_it_runs_as_who_reads_it_then_sees_it(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    """Its record is written by and by; the event waits for that, and the job for neither."""
    seen: list[str] = []

    def until_told(listener: Listener) -> tuple[Output, ...]:
        listener.outputs((an_output(),))
        eventually(lambda: len(webhooks.backend.waiting) >= 3)  # itself, and two events
        seen.extend(message["id"] for message in webhooks.backend.waiting.values())
        reading = AsyncResult[object](job_id).read()
        assert [each["filename"] for each in reading.meta["outputs"]] == ["a.png"]
        raise NodeFailed("no")

    webhooks.script = until_told
    job_id = webhooks.submit(receiver.url, "job.started", "job.output")
    webhooks.work()
    assert f"{job_id}.started" in seen
    assert any(each.startswith(f"{job_id}.output.") for each in seen)
    assert types(receiver) == ["job.started", "job.output"]


def test_a_second_attempt_tells_nothing_twice(webhooks: WebhookRig, receiver: Receiver) -> None:
    webhooks.script = two_pictures
    job_id = webhooks.submit(receiver.url, "job.started", "job.output")
    webhooks.work()
    assert len(receiver.letters) == 3
    webhook = jobs.get(job_id).webhook
    assert webhook

    with announcing(job_id, webhook.to_json()) as announcer:
        assert announcer
        announcer.outputs((an_output("b.png"), an_output("a.png"), an_output("new.png")))
    wait_for_announcers()
    webhooks.work()
    assert len(receiver.letters) == 4
    assert len(receiver.ids) == 4


class Down(MemoryStore):
    """A store that takes no events."""

    def add(self, key: str, value: Json) -> bool:
        if ".started" in key or ".output" in key:
            raise OSError("out of reach")
        return super().add(key, value)


def test_a_job_completes_when_its_events_cannot_be_sent(receiver: Receiver) -> None:
    rig = WebhookRig(store=Down())
    with rig.configured():
        rig.script = two_pictures
        job_id = rig.submit(receiver.url, *EVENTS)
        rig.work()
        assert jobs.get(job_id).status is Status.COMPLETED
    assert types(receiver) == ["job.completed"]


def test_of_very_many_outputs_the_first_are_told(webhooks: WebhookRig, receiver: Receiver) -> None:
    outputs = tuple(an_output(f"{n}.png") for n in range(MOST_OUTPUTS + 5))

    def many(listener: Listener) -> tuple[Output, ...]:
        listener.outputs(outputs)
        return outputs

    webhooks.script = many
    job_id = webhooks.submit(receiver.url, "job.output")
    webhooks.work_once()
    sent = [each["id"] for each in webhooks.backend.waiting.values()]
    assert len([each for each in sent if each.startswith(f"{job_id}.output")]) == MOST_OUTPUTS


def test_a_job_that_wants_only_its_end_told_has_no_thread_for_it(webhooks: WebhookRig) -> None:
    seen: list[str] = []

    def look(_: Listener) -> tuple[Output, ...]:
        seen.extend(thread.name for thread in threading.enumerate())
        return ()

    webhooks.script = look
    webhooks.submit("http://127.0.0.1:9/", "job.failed")
    webhooks.work()
    assert seen
    assert "announcer" not in seen


def test_the_events_of_a_run_are_sent_anew_with_their_own_time(
    webhooks: WebhookRig, receiver: Receiver
) -> None:
    webhooks.script = two_pictures
    job_id = webhooks.submit(receiver.url, "job.started", "job.output")
    webhooks.work()
    first = {letter.id: letter.json["timestamp"] for letter in receiver.letters}
    receiver.letters.clear()
    webhooks.clock.now += 1000

    webhooks.redeliver(job_id)

    assert {letter.id: letter.json["timestamp"] for letter in receiver.letters} == first
    assert len(first) == 3
