"""Webhooks over HTTP: what a submission may ask for, and what its owner learns of the events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from settings import Settings
from tasks import jobs as real_jobs
from tasks.framework.reading import read
from tasks.jobs import Status
from tasks.webhook_target import EVENTS, FINAL_EVENTS, Webhook
from tests.tasks.receiver import Receiver, status
from tests.tasks.webhook_rig import GRAPH, WebhookRig
from tests.web.conftest import KEY
from tests.web.memory_jobs import MemoryJobs, a_job
from tests.web.problems import places, problem
from web import create_app

URL = "https://customer.example/hook?token=s3cret"


def post(client: FlaskClient, **body: Any) -> Any:
    return client.post("/v1/jobs", json={"workflow": GRAPH} | body)


def test_a_webhook_is_taken_with_the_address_its_client_used(
    client: FlaskClient, jobs: MemoryJobs
) -> None:
    assert post(client, webhook_url=URL).status_code == 202
    assert jobs.webhooks == [Webhook(URL, FINAL_EVENTS, "http://localhost")]


def test_a_client_chooses_the_events(client: FlaskClient, jobs: MemoryJobs) -> None:
    events = ["job.failed", "job.started", "job.failed"]
    assert post(client, webhook_url=URL, webhook_events=events).status_code == 202
    assert jobs.webhooks[0]
    assert jobs.webhooks[0].events == ("job.started", "job.failed")


def test_a_job_without_a_webhook_has_none(client: FlaskClient, jobs: MemoryJobs) -> None:
    assert post(client).status_code == 202
    assert jobs.webhooks == [None]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "customer.example/hook",
        "ftp://customer.example/",
        "file:///etc/passwd",
        "https://me:secret@customer.example/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "https://10.1.2.3/",
        "https://customer.example:22/",
        "https:///hook",
        "https://customer.example/\nX: y",
        "https://customer.example/" + "a" * 5000,
    ],
)
def test_a_url_that_cannot_or_must_not_be_called_is_refused(
    client: FlaskClient, jobs: MemoryJobs, url: str
) -> None:
    assert places(problem(post(client, webhook_url=url), 422, "invalid_request")) == [
        "/webhook_url"
    ]
    assert jobs.submitted == []


def test_a_private_network_that_is_allowed_may_be_called(
    settings: Settings, jobs: MemoryJobs
) -> None:
    app = create_app(settings.replace(outbound_allow=("10.1.0.0/16",)), jobs=jobs)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    assert post(client, webhook_url="http://10.1.2.3:8080/").status_code == 202
    assert post(client, webhook_url="http://10.2.2.3:8080/").status_code == 422


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"webhook_url": 1}, "/webhook_url"),
        ({"webhook_url": URL, "webhook_events": []}, "/webhook_events"),
        ({"webhook_url": URL, "webhook_events": "job.failed"}, "/webhook_events"),
        ({"webhook_url": URL, "webhook_events": None}, "/webhook_events"),
        ({"webhook_url": URL, "webhook_events": ["job.done"]}, "/webhook_events/0"),
        ({"webhook_url": URL, "webhook_events": ["job.failed", 1]}, "/webhook_events/1"),
        ({"webhook_events": ["job.failed"]}, "/webhook_events"),
        ({"webhook_url": None, "webhook_events": ["job.failed"]}, "/webhook_events"),
    ],
)
def test_a_misshapen_webhook_is_refused_at_its_place(
    client: FlaskClient, fields: dict[str, Any], place: str
) -> None:
    assert places(problem(post(client, **fields), 422, "invalid_request")) == [place]


def test_a_bad_url_is_told_together_with_everything_else(client: FlaskClient) -> None:
    body = {"webhook_url": "https://10.0.0.1/", "workflow": {"1": {}}, "media": [{"name": "a"}]}
    found = places(problem(client.post("/v1/jobs", json=body), 422, "invalid_request"))
    assert {"/webhook_url", "/workflow/1/class_type", "/media/0"} <= set(found)


def test_a_bad_url_is_told_together_with_files_that_cannot_be_used(client: FlaskClient) -> None:
    response = post(client, webhook_url="ftp://x/", media=[{"name": "a.png", "data": "!"}])
    assert set(places(problem(response, 422, "invalid_request"))) == {
        "/webhook_url",
        "/media/0/data",
    }


def test_a_job_shows_its_webhook_without_the_query(client: FlaskClient, jobs: MemoryJobs) -> None:
    jobs.kept["a"] = a_job("a", webhook=Webhook.of(URL, EVENTS))
    assert client.get("/v1/jobs/a").get_json()["webhook"] == {
        "url": "https://customer.example/hook",
        "events": list(EVENTS),
    }


# -- the log, over real jobs ---------------------------------------------------------------------


@pytest.fixture
def rig() -> Iterator[WebhookRig]:
    rig = WebhookRig()
    with rig.configured():
        yield rig


@pytest.fixture
def real(settings: Settings, rig: WebhookRig) -> FlaskClient:
    app = create_app(settings.replace(outbound_allow=("127.0.0.0/8",)), jobs=real_jobs)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    return client


def test_the_owner_sees_each_attempt_and_sends_it_anew_under_the_same_id(
    real: FlaskClient, rig: WebhookRig
) -> None:
    with Receiver([status(410, b"no such customer"), status(200)]) as receiver:
        job_id = post(real, webhook_url=receiver.url).get_json()["job_id"]
        assert real.get(f"/v1/jobs/{job_id}/webhooks").get_json() == {"webhooks": []}
        rig.work()
        (found,) = real.get(f"/v1/jobs/{job_id}/webhooks").get_json()["webhooks"]
        assert found["attempts"][0].keys() == {
            *("at", "status", "duration_seconds", "error", "answer")
        }
        assert found["attempts"][0]["answer"] == "no such customer"
        assert found["attempts"][0]["at"].endswith("Z")
        answer = real.post(f"/v1/jobs/{job_id}/webhooks/redeliver")
        rig.work()
    assert answer.status_code == 202
    assert answer.get_json()["webhooks"][0]["state"] == "pending"
    (again,) = real.get(f"/v1/jobs/{job_id}/webhooks").get_json()["webhooks"]
    told = {key: again[key] for key in ("id", "type", "state", "next_attempt_at")}
    assert told == {
        "id": f"msg_{job_id}_completed",
        "type": "job.completed",
        "state": "delivered",
        "next_attempt_at": None,
    }
    assert [each["status"] for each in again["attempts"]] == [410, 200]
    assert receiver.ids == {told["id"]}
    assert receiver.letters[0].json["data"]["job_id"] == job_id


@pytest.mark.parametrize("event", ["job.completed", "msg_{job_id}_completed", None])
def test_one_event_is_sent_anew_by_type_or_id(
    real: FlaskClient, rig: WebhookRig, event: str | None
) -> None:
    with Receiver() as receiver:
        job_id = post(real, webhook_url=receiver.url).get_json()["job_id"]
        rig.work()
        body = {"event": event and event.format(job_id=job_id)}
        assert real.post(f"/v1/jobs/{job_id}/webhooks/redeliver", json=body).status_code == 202
        rig.work()
    assert len(receiver.letters) == 2


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ([], ""),
        ({"event": 1}, "/event"),
        ({"event": "job.failed"}, "/event"),
        ({"event": "msg_other_completed"}, "/event"),
        ({"events": ["job.completed"]}, "/events"),
        ({"a/b~": 1}, "/a~1b~0"),
    ],
)
def test_an_event_that_is_none_of_the_job_is_refused(
    real: FlaskClient, rig: WebhookRig, body: Any, place: str
) -> None:
    with Receiver() as receiver:
        job_id = post(real, webhook_url=receiver.url).get_json()["job_id"]
        rig.work()
        answer = real.post(f"/v1/jobs/{job_id}/webhooks/redeliver", json=body)
    assert places(problem(answer, 422, "invalid_request")) == [place]
    assert len(receiver.letters) == 1


def test_what_cannot_be_sent_anew_is_refused(real: FlaskClient, rig: WebhookRig) -> None:
    plain = post(real).get_json()["job_id"]
    problem(real.post(f"/v1/jobs/{plain}/webhooks/redeliver"), 409, "no_webhook")
    waiting = post(real, webhook_url="http://127.0.0.1:9/").get_json()["job_id"]
    answer = real.post(f"/v1/jobs/{waiting}/webhooks/redeliver")
    problem(answer, 409, "nothing_to_redeliver")


def test_an_event_is_sent_anew_twenty_times_at_most(real: FlaskClient, rig: WebhookRig) -> None:
    with Receiver() as receiver:
        job_id = post(real, webhook_url=receiver.url).get_json()["job_id"]
        rig.work()
        for _ in range(20):
            assert real.post(f"/v1/jobs/{job_id}/webhooks/redeliver").status_code == 202
            rig.work()
        answer = real.post(f"/v1/jobs/{job_id}/webhooks/redeliver")
    problem(answer, 409, "too_many_redeliveries")
    assert len(receiver.letters) == 21
    assert len(real.get(f"/v1/jobs/{job_id}/webhooks").get_json()["webhooks"][0]["attempts"]) == 21


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/redeliver")])
def test_the_webhooks_of_an_unknown_job_are_unknown(
    client: FlaskClient, stranger: FlaskClient, method: str, path: str
) -> None:
    for job_id in ("nobody", "a.link", "%00"):
        answer = client.open(f"/v1/jobs/{job_id}/webhooks{path}", method=method)
        problem(answer, 404, "job_not_found")
    assert stranger.open(f"/v1/jobs/a/webhooks{path}", method=method).status_code == 401


def test_a_job_that_is_deleted_takes_its_events_along(real: FlaskClient, rig: WebhookRig) -> None:
    with Receiver([status(500)]) as receiver:
        job_id = post(real, webhook_url=receiver.url).get_json()["job_id"]
        rig.work()
        assert real.delete(f"/v1/jobs/{job_id}?purge=true").status_code == 204
        assert read(rig.protocol, f"{job_id}.link") is None
        rig.pass_time(100)
        rig.pass_time(1000)
    assert len(receiver.letters) == 1
    assert rig.left() == []


def test_a_job_that_is_sent_again_tells_the_same_receiver(
    real: FlaskClient, rig: WebhookRig
) -> None:
    with Receiver() as receiver:
        first = post(real, webhook_url=receiver.url).get_json()["job_id"]
        rig.work()
        second = real.post(f"/v1/jobs/{first}/retry").get_json()["job_id"]
        rig.work()
    assert receiver.ids == {f"msg_{first}_completed", f"msg_{second}_completed"}
    assert real_jobs.get(second).status is Status.COMPLETED
