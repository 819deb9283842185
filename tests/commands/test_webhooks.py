"""Looking after webhooks, on a real data directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from tasks.framework import configure
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.stores.sqlite import SqliteStore
from tasks.webhook_signing import secrets_of
from tests.commands.support import run
from tests.tasks.receiver import SECRET, Receiver, status
from tests.tasks.webhook_rig import WebhookRig


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def rig(data: Path) -> Iterator[WebhookRig]:
    path = data / "tasks.db"
    rig = WebhookRig(store=SqliteStore(path), archive=SqliteArchive(path))
    with rig.configured():
        yield rig


def webhooks(data: Path, *arguments: str, **environment: str) -> Result:
    return run("webhooks", *arguments, "--data", str(data), **environment)


def test_events_are_listed_with_every_attempt(data: Path, rig: WebhookRig) -> None:
    with Receiver([status(500), status(410)]) as receiver:
        job_id = rig.submit(receiver.url)
        rig.work()
        waiting = webhooks(data, "list", job_id)
        configure(rig.runtime)  # the command has put its own aside
        rig.pass_time(5)
        told = json.loads(webhooks(data, "list", job_id, "--json").stdout)
        table = webhooks(data, "list", job_id).output
    assert "pending, next at 20" in waiting.output
    (event,) = told["webhooks"]
    assert (event["state"], [each["status"] for each in event["attempts"]]) == (
        "failed",
        [500, 410],
    )
    heading, first, second = table.splitlines()
    assert heading.split() == ["EVENT", "STATE", "AT", "STATUS", "ERROR"]
    assert first.split()[:2] == [f"msg_{job_id}_completed", "failed"]
    assert "the receiver answered HTTP 410" in second
    assert "s3cret" not in table


def test_a_job_without_events_says_so(data: Path, rig: WebhookRig) -> None:
    job_id = rig.submit("http://127.0.0.1:9/")
    assert webhooks(data, "list", job_id).output == "No events.\n"


def test_an_event_is_sent_anew(data: Path, rig: WebhookRig) -> None:
    with Receiver([status(410), status(200)]) as receiver:
        job_id = rig.submit(receiver.url)
        rig.work()
        done = webhooks(data, "redeliver", job_id, "--event", "job.completed")
        assert done.output == f"msg_{job_id}_completed is pending.\n"
        configure(rig.runtime)
        rig.clock.now += 60  # what the command has sent lies in the database, not in our backend
        rig.let_time_pass(2)
    assert len(receiver.letters) == 2
    assert receiver.ids == {f"msg_{job_id}_completed"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("list", "nobody"), "there is no job 'nobody'"),
        (("redeliver", "nobody"), "there is no job 'nobody'"),
        (("redeliver", "{job}"), "no such event"),
        (("redeliver", "{job}", "--event", "job.done"), "no such event"),
    ],
)
def test_what_is_not_there_is_refused(
    data: Path, rig: WebhookRig, arguments: tuple[str, ...], says: str
) -> None:
    job_id = rig.submit("http://127.0.0.1:9/")
    refused = webhooks(data, *(each.format(job=job_id) for each in arguments))
    assert refused.exit_code == 1
    assert says in refused.output


def test_the_secrets_are_printed_one_a_line(data: Path, rig: WebhookRig) -> None:
    assert webhooks(data, "secret", WEBHOOK_SECRET=f"{SECRET},{SECRET}").output == (
        f"{SECRET}\n{SECRET}\n"
    )
    assert webhooks(data, "secret").output.split() == [*secrets_of(None, data)]
    (data / "webhook_secret").write_bytes(b"short")
    damaged = webhooks(data, "secret")
    assert damaged.exit_code == 1
    assert "webhook_secret holds 5 bytes" in damaged.output
