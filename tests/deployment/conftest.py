"""What Modal's server is told of an app when it is deployed, by Modal's own CLI."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import apps
from tests.local_modal import LocalModal

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "comfyui-api-secret": {"API_KEY": "k"},
    "comfyui-r2": {
        "R2_ACCESS_KEY_ID": "i",
        "R2_SECRET_ACCESS_KEY": "s",
        "R2_ENDPOINT_URL": "https://account.r2.cloudflarestorage.com",
        "R2_BUCKET_NAME": "files",
    },
}

Deploy = Callable[..., dict[str, Any]]


@pytest.fixture(scope="package")
def server() -> Iterator[LocalModal]:
    with LocalModal(secrets=SECRETS, run_containers=False) as server:
        yield server


@pytest.fixture(scope="package")
def deployed(server: LocalModal) -> Deploy:
    """Deploy an app file, once for each environment; return what the server recorded."""
    done: dict[tuple[Any, ...], dict[str, Any]] = {}

    def deploy(file: str, **environment: str) -> dict[str, Any]:
        asked = (file, *sorted(environment.items()))
        if asked not in done:
            env = {**os.environ, "APP_FILE": file, **environment}
            server.deploy("modal_app.py", cwd=ROOT, env=env)
            name = apps.load(ROOT / file).name
            done[asked] = {**server.summary(name)}
        return done[asked]

    return deploy
