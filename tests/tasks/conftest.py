"""What the tests of webhooks share: a rig that delivers them, and a receiver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tasks.receiver import Receiver
from tests.tasks.webhook_rig import WebhookRig


@pytest.fixture
def webhooks() -> Iterator[WebhookRig]:
    with WebhookRig().configured() as rig:
        assert isinstance(rig, WebhookRig)
        yield rig


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
