"""A whole service tells a receiver on this machine what became of its jobs."""

from __future__ import annotations

import pytest
import requests

from tests.integration.service import Service, colour, steps
from tests.tasks.receiver import Receiver, status
from tests.waiting import eventually

pytestmark = pytest.mark.live


def test_a_job_is_told_of_from_its_begin_to_its_end_and_again_on_request(stack: Service) -> None:
    assert stack.call("GET", "/health").status_code == 200
    secret = stack.run("webhooks", "secret", *stack.records).stdout.strip()
    events = ["job.started", "job.output", "job.completed"]
    with Receiver() as receiver:
        job_id = stack.submit(colour(5), webhook_url=receiver.url, webhook_events=events)
        job = stack.completed(job_id)
        eventually(lambda: len(receiver.letters) >= 3)
        told = {letter.json["type"]: letter.verified(secret) for letter in receiver.letters}
        answer = stack.call(
            "POST", f"/v1/jobs/{job_id}/webhooks/redeliver", json={"event": "job.completed"}
        )
        assert answer.status_code == 202
        eventually(lambda: len(receiver.letters) >= 4)

    assert set(told) == {*events}
    links = [told["job.completed"]["data"]["outputs"][0].pop("url") for _ in range(1)]
    job["outputs"][0].pop("url")
    assert told["job.completed"]["data"] == job
    assert requests.get(links[0], timeout=10).content[:4] == b"\x89PNG"
    assert told["job.output"]["data"]["outputs"][0]["filename"] == job["outputs"][0]["filename"]
    assert len(receiver.ids) == 3


@pytest.mark.timeout(300)
def test_a_receiver_that_comes_back_hears_of_a_job_that_was_cancelled(stack: Service) -> None:
    with Receiver([status(500), status(200)]) as receiver:
        job_id = stack.submit(steps(100), webhook_url=receiver.url)
        stack.at_step(job_id)
        stack.call("DELETE", f"/v1/jobs/{job_id}")
        # Modal holds no call back: there the next tick sends it, a minute later at most
        eventually(lambda: len(receiver.letters) >= 2, 150)

        def delivered() -> bool:
            found = stack.call("GET", f"/v1/jobs/{job_id}/webhooks").json()["webhooks"]
            return [each["state"] for each in found] == ["delivered"]

        eventually(delivered)
    assert receiver.letters[-1].json["type"] == "job.cancelled"
    assert receiver.ids == {f"msg_{job_id}_cancelled"}
