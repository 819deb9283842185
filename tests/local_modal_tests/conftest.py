"""Stand-ins with the apps of these tests deployed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_modal import LocalModal

APPS = Path(__file__).parent / "apps"
SECRETS = {"api-keys": {"API_KEY": "k1"}}


@pytest.fixture(scope="module")
def local() -> Iterator[LocalModal]:
    """The sample app, deployed; `modal` of this process talks to it."""
    with LocalModal(secrets=dict(SECRETS), heartbeat_interval=1, idle_timeout=30) as local:
        local.deploy("sample.py", cwd=APPS)
        with local.as_env_client():
            yield local


@pytest.fixture
def fresh() -> Iterator[LocalModal]:
    """A stand-in with nothing in it, of which `modal` of this process knows nothing."""
    with LocalModal(secrets=dict(SECRETS), heartbeat_interval=1) as local:
        yield local
