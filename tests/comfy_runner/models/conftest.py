"""A hub for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.comfy_runner.models.entries import WEIGHTS
from tests.comfy_runner.models.hub import Hub, running


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {"owner/name/model.safetensors": WEIGHTS, "owner/name/split/vae.safetensors": b"vae"}
    with running(Hub(files)) as started:
        yield started
