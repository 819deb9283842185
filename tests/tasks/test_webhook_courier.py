"""The courier of a deployment: what it is told to send, by whom, and where it may go."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfy_runner.outputs import Output
from comfy_runner.work import Listener
from settings import Settings
from tasks.webhook_courier import courier
from tests.tasks.receiver import SECRET, Receiver
from tests.tasks.webhook_rig import WebhookRig, an_output


def draw(_: Listener) -> tuple[Output, ...]:
    return (an_output(),)


def settings_in(data: Path, **more: object) -> Settings:
    known = Settings(data_dir=data, webhook_secret=SECRET)
    return known.replace(outbound_allow=("127.0.0.0/8",), **more)


@pytest.mark.parametrize(
    ("public", "begins"),
    [
        (None, "https://api.example/files/"),
        ("https://comfy.example/x", "https://comfy.example/x/"),
    ],
)
def test_files_are_linked_as_clients_know_this_api(
    webhooks: WebhookRig, receiver: Receiver, tmp_path: Path, public: str | None, begins: str
) -> None:
    webhooks.courier = courier(settings_in(tmp_path, public_url=public))
    webhooks.script = draw
    webhooks.submit(receiver.url)
    webhooks.work()

    (letter,) = receiver.letters
    url = letter.verified()["data"]["outputs"][0]["url"]
    assert url.startswith(begins)
    assert "signature=" in url


def test_a_job_that_is_gone_has_no_document(webhooks: WebhookRig, tmp_path: Path) -> None:
    assert courier(settings_in(tmp_path)).document("nobody", "") is None


def test_what_is_not_allowed_is_not_reached(
    webhooks: WebhookRig, receiver: Receiver, tmp_path: Path
) -> None:
    webhooks.courier = courier(settings_in(tmp_path).replace(outbound_allow=()))
    job_id = webhooks.submit(receiver.url)
    webhooks.work()
    assert receiver.letters == []
    assert "not public" in webhooks.the_only(job_id).attempts[0]["error"]
