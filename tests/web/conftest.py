"""An API over jobs in memory with a client that has its key, and one that answers as told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, request_finished
from flask.testing import FlaskClient

from comfy_runner.bucket import Bucket, open_bucket
from settings import Settings
from tests.web.memory_jobs import MemoryJobs
from tests.web.promises import Promises
from tests.web.real_jobs import RealApi, real_api
from tests.web.told_api import Api
from web import create_app

KEY = "a-key-for-tests"


@pytest.fixture(scope="session", autouse=True)
def promises() -> Iterator[Promises]:
    """See to it that whatever any test of the API is answered is as described."""
    promises = Promises()
    with request_finished.connected_to(promises.look):
        yield promises
    assert promises.broken == {}, "web/description does not say so"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(api_key=KEY, data_dir=tmp_path / "data", max_request_megabytes=1)


@pytest.fixture
def jobs() -> MemoryJobs:
    return MemoryJobs()


@pytest.fixture
def bucket(settings: Settings) -> Bucket:
    return open_bucket(settings)


@pytest.fixture
def app(settings: Settings, jobs: MemoryJobs, bucket: Bucket) -> Flask:
    return create_app(settings, jobs=jobs, bucket=bucket)


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A client without a key."""
    return app.test_client()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client that sends the right key."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    return client


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.close()


@pytest.fixture
def real(settings: Settings) -> Iterator[RealApi]:
    """The API over the real jobs."""
    with real_api(settings.replace(max_active_jobs_per_user=3)) as api:
        yield api
