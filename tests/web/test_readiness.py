"""Whether a job sent now would be carried out soon."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from flask.testing import FlaskClient

from comfy_runner.bucket import Bucket, open_bucket
from comfy_runner.errors import StorageFailed
from settings import Settings
from tests.web.real_jobs import RealApi
from tests.web.told_operations import NOTHING, ToldOperations
from web import create_app
from web.readiness import Readiness, checks

FINE = {"store": "ok", "bucket": "ok", "worker": "ok", "queue": "ok"}


class BrokenBucket:
    """A bucket that cannot be reached."""

    def stored_at(self, key: str) -> float | None:
        raise StorageFailed("check R2_SECRET_ACCESS_KEY")


@pytest.fixture
def operations() -> ToldOperations:
    return ToldOperations()


@pytest.fixture
def prober(settings: Settings, operations: ToldOperations) -> FlaskClient:
    """A client without a key."""
    chosen = settings.replace(ready_max_queued=3)
    return create_app(chosen, operations=operations).test_client()


def failed(client: FlaskClient) -> set[str]:
    response = client.get("/ready")
    body: dict[str, Any] = response.get_json()
    assert (response.status_code, body["status"]) == (503, "not ready")
    assert response.headers["Retry-After"] == "5"
    assert set(body["checks"]) == set(FINE)
    assert set(body["checks"].values()) == {"ok", "failed"}
    return {name for name, well in body["checks"].items() if well == "failed"}


def test_it_is_ready_when_every_check_is_fine(prober: FlaskClient) -> None:
    response = prober.get("/ready")
    assert response.status_code == 200
    assert response.get_json() == {"status": "ready", "checks": FINE}
    assert response.headers["Cache-Control"] == "no-store"
    assert "Retry-After" not in response.headers


def test_a_store_that_fails_is_named_and_its_secrets_are_not(
    prober: FlaskClient, operations: ToldOperations, caplog: pytest.LogCaptureFixture
) -> None:
    operations.failure = OSError("hush: the disk is gone")
    assert failed(prober) == {"store"}
    assert "hush" not in prober.get("/ready").text
    assert "not ready: store: hush: the disk is gone" in caplog.messages


def test_it_is_not_ready_without_a_worker(prober: FlaskClient, operations: ToldOperations) -> None:
    operations.told = replace(NOTHING, workers=0)
    assert failed(prober) == {"worker"}


def test_workers_that_nobody_can_count_are_no_reason(
    prober: FlaskClient, operations: ToldOperations
) -> None:
    operations.told = replace(NOTHING, workers=None)
    assert prober.get("/ready").status_code == 200


@pytest.mark.parametrize(("queued", "status"), [(3, 200), (4, 503)])
def test_more_waiting_jobs_than_allowed_are_too_many(
    prober: FlaskClient, operations: ToldOperations, queued: int, status: int
) -> None:
    operations.told = replace(NOTHING, queued=queued)
    assert prober.get("/ready").status_code == status
    assert status == 200 or failed(prober) == {"queue"}


def test_a_bucket_that_fails_is_named(operations: ToldOperations) -> None:
    found = checks(operations, cast(Bucket, BrokenBucket()), 3)
    app = Flask("ready")
    app.register_blueprint(Readiness(found).blueprint())
    assert failed(app.test_client()) == {"bucket"}


def test_the_checks_are_made_once_a_second(operations: ToldOperations, tmp_path: Path) -> None:
    now = [100.0]
    bucket = open_bucket(Settings(data_dir=tmp_path))
    readiness = Readiness(checks(operations, bucket, 3), clock=lambda: now[0])
    assert all(readiness.look().values())
    operations.failure = OSError("gone")
    now[0] += 0.9
    assert all(readiness.look().values())
    assert operations.asked == 1
    now[0] += 0.1
    assert not readiness.look()["store"]
    assert operations.asked == 2


def test_while_one_request_waits_for_a_store_others_hear_what_was_known(
    operations: ToldOperations,
) -> None:
    now = [100.0]
    readiness = Readiness({"store": operations.ask_store}, clock=lambda: now[0])
    assert readiness.look() == {"store": True}
    operations.hold, operations.failure = threading.Event(), OSError("gone")
    now[0] += 1
    slow = threading.Thread(target=readiness.look)
    slow.start()
    assert operations.held.wait(30)
    assert readiness.look() == {"store": True}
    operations.hold.set()
    slow.join(30)
    assert readiness.look() == {"store": False}
    assert operations.asked == 2


def test_a_change_is_logged_once(
    operations: ToldOperations, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="web.readiness")
    now = [100.0]
    readiness = Readiness({"store": operations.ask_store}, clock=lambda: now[0])
    for failure in (None, OSError("gone"), OSError("gone"), None, None):
        operations.failure = failure
        now[0] += 1
        readiness.look()
    assert caplog.messages == ["not ready: store: gone", "ready again: store"]


def test_the_real_deployment_without_a_worker_says_so(real: RealApi) -> None:
    assert failed(real.app.test_client()) == {"worker"}
