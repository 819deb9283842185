"""The README's way of checking a webhook, done to one that was really sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError

from tests.docs.guide import ROOT
from tests.tasks.receiver import SECRET, Receiver
from tests.tasks.webhook_rig import WebhookRig


def example() -> Any:
    """Return the function that the README shows."""
    section = (ROOT / "README.md").read_text().split("### Webhooks")[1]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code
    names: dict[str, Any] = {}
    exec(code[1], names)
    return names["receive"]


def test_the_example_takes_what_is_genuine_and_refuses_what_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rig = WebhookRig()
    with rig.configured(), Receiver() as receiver:
        job_id = rig.submit(receiver.url)
        rig.work()
    (letter,) = receiver.letters
    receive = example()
    body = letter.body.decode()

    told = receive(letter.headers, body, SECRET)

    assert told == (f"msg_{job_id}_completed", "job.completed")
    assert capsys.readouterr().out == f"job.completed {job_id} completed\n"
    with pytest.raises(WebhookVerificationError):
        receive(letter.headers, body.replace("completed", "failed"), SECRET)
    with pytest.raises(WebhookVerificationError):
        receive(letter.headers, body, "whsec_" + "QUJD" * 8)
