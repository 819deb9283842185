"""What Prometheus reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from comfy_runner.bucket import Bucket
from settings import Settings
from tasks.framework import State
from tasks.framework.records import Ending
from tasks.framework.totals import Times, Totals
from tests.web.conftest import KEY
from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import problem
from tests.web.real_jobs import RealApi
from tests.web.told_operations import NOTHING, ToldOperations
from web import create_app

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def operations() -> ToldOperations:
    return ToldOperations()


@pytest.fixture
def client(
    settings: Settings, jobs: MemoryJobs, bucket: Bucket, operations: ToldOperations
) -> FlaskClient:
    app = create_app(settings, jobs=jobs, bucket=bucket, operations=operations)
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    return client


def read(client: FlaskClient) -> Samples:
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.content_type.startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: Any) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def test_without_a_key_nothing_is_told(stranger: FlaskClient) -> None:
    problem(stranger.get("/metrics"), 401, "unauthorized")


def test_it_is_told_to_anybody_if_so_set(
    settings: Settings, jobs: MemoryJobs, operations: ToldOperations
) -> None:
    chosen = settings.replace(metrics_public=True)
    stranger = create_app(chosen, jobs=jobs, operations=operations).test_client()
    assert stranger.get("/metrics").status_code == 200
    problem(stranger.get("/v1/jobs"), 401, "unauthorized")


def test_the_queue_and_the_workers_are_told(
    client: FlaskClient, operations: ToldOperations
) -> None:
    operations.told = replace(NOTHING, queued=7, running=2, workers=3)
    samples = read(client)
    assert value(samples, "comfyui_jobs", status="queued") == 7
    assert value(samples, "comfyui_jobs", status="running") == 2
    assert value(samples, "comfyui_workers") == 3


def test_workers_that_nobody_can_count_are_left_out(
    client: FlaskClient, operations: ToldOperations
) -> None:
    operations.told = replace(NOTHING, workers=None)
    assert value(read(client), "comfyui_workers") is None


def test_times_are_histograms_by_status(client: FlaskClient, operations: ToldOperations) -> None:
    once = Times().plus(1.0, 1, 0.75)
    waits = {
        State.SUCCEEDED: once.plus(5.0, 2, 7.0),
        State.FAILED: once,
        State.EXPIRED: Times().plus(600.0, 1, 360.0),
    }
    runs = {State.SUCCEEDED: Times().plus(60.0, 3, 90.5), State.REVOKED: once}
    operations.told = replace(NOTHING, totals=Totals(waits=waits, runs=runs))
    samples = read(client)
    wait = "comfyui_job_wait_seconds"
    steps = [("0.5", 0), ("1.0", 1), ("2.5", 1), ("5.0", 3), ("3600.0", 3), ("+Inf", 3)]
    for bound, count in steps:
        assert value(samples, f"{wait}_bucket", status="completed", le=bound) == count
    assert value(samples, f"{wait}_sum", status="completed") == 7.75
    assert value(samples, f"{wait}_count", status="completed") == 3
    assert value(samples, f"{wait}_count", status="failed") == 2
    assert value(samples, f"{wait}_sum", status="failed") == 360.75
    assert value(samples, f"{wait}_count", status="cancelled") == 0
    assert value(samples, "comfyui_job_run_seconds_count", status="completed") == 3
    assert value(samples, "comfyui_worker_seconds_total", status="completed") == 90.5
    assert value(samples, "comfyui_worker_seconds_total", status="cancelled") == 0.75
    assert value(samples, "comfyui_worker_seconds_total", status="failed") == 0


def test_the_parts_of_jobs_are_histograms_over_all_jobs(
    client: FlaskClient, operations: ToldOperations
) -> None:
    loads = {State.SUCCEEDED: Times().plus(10.0, 2, 12.5), State.FAILED: Times().plus(5.0, 1, 3.0)}
    operations.told = replace(NOTHING, totals=Totals(parts={"model_load": loads}))
    samples, name = read(client), "comfyui_job_part_seconds"
    assert value(samples, f"{name}_sum", part="model_load") == 15.5
    assert value(samples, f"{name}_bucket", part="model_load", le="5.0") == 1
    assert value(samples, f"{name}_count", part="model_load") == 3


def test_webhook_deliveries_are_counted_by_outcome(
    client: FlaskClient, operations: ToldOperations
) -> None:
    runs = {
        State.SUCCEEDED: Times().plus(1.0, 4, 2.0).plus(60.0, 1, 30.0),
        State.FAILED: Times().plus(1.0, 1, 1.0),
    }
    operations.told = replace(NOTHING, deliveries=Totals(runs=runs))
    samples = read(client)
    assert value(samples, "comfyui_webhook_deliveries_total", outcome="delivered") == 5
    assert value(samples, "comfyui_webhook_deliveries_total", outcome="failed") == 1


def test_requests_are_counted_by_route_and_status_and_never_by_path(client: FlaskClient) -> None:
    for number in range(3):
        client.get(f"/v1/jobs/none-{number}")
        client.get(f"/nowhere/{number}?user_id=someone")
    client.open("/health", method="BREW")
    text = client.get("/metrics").text
    assert "none-" not in text
    assert "nowhere" not in text
    assert "someone" not in text
    assert "BREW" not in text
    samples, name = read(client), "comfyui_http_request_seconds_count"
    job = {"method": "GET", "route": "/v1/jobs/<job_id>", "status": "404"}
    assert value(samples, name, **job) == 3
    assert value(samples, name, method="GET", route="unknown", status="404") == 3
    assert value(samples, name, method="GET", route="/metrics", status="200") == 1
    assert [
        dict(labels)["status"]
        for (each, labels) in samples
        if each == name and ("method", "OTHER") in labels
    ] == ["405"]


def test_refusals_are_counted_by_code_and_other_problems_are_not(client: FlaskClient) -> None:
    assert client.post("/v1/jobs", json={}).status_code == 422
    assert client.post("/v1/jobs", data="{", content_type="application/json").status_code == 400
    assert client.post("/v1/jobs", data="x").status_code == 415
    assert client.get("/v1/jobs?limit=0").status_code == 400
    assert client.get("/v1/jobs?limit=x").status_code == 400
    assert client.get("/v1/jobs/none").status_code == 404
    samples = read(client)
    counted = {
        dict(labels)["code"]: count
        for (name, labels), count in samples.items()
        if name == "comfyui_refusals_total"
    }
    assert counted == {
        "invalid_request": 1,
        "invalid_json": 1,
        "unsupported_media_type": 1,
        "invalid_parameter": 2,
    }


def test_two_applications_in_one_process_count_for_themselves(
    client: FlaskClient, settings: Settings, jobs: MemoryJobs
) -> None:
    client.get("/v1/jobs/none")
    other = create_app(settings, jobs=jobs, operations=ToldOperations()).test_client()
    other.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    assert not [each for each in read(other) if each[0].startswith("comfyui_http")]


def test_the_process_itself_is_told_of(client: FlaskClient) -> None:
    client.post("/v1/jobs", data="x")
    samples = read(client)
    assert (value(samples, "process_resident_memory_bytes") or 0) > 0
    assert not [name for name, _ in samples if name.endswith("_created")]


def test_the_real_jobs_are_told_alike_whoever_asks(real: RealApi, settings: Settings) -> None:
    real.finished()
    began = real.start(real.submit(user_id="a"))
    real.protocol.end(began.job.id, Ending.of(State.FAILED, began.run, error={"type": "X"}))
    real.client.delete(f"/v1/jobs/{real.submit(user_id='b')}")
    samples = read(real.client)
    runs, waits = "comfyui_job_run_seconds_count", "comfyui_job_wait_seconds_count"
    for status, ran in (("completed", 1), ("failed", 1), ("cancelled", 0)):
        assert value(samples, waits, status=status) == 1
        assert value(samples, runs, status=status) == ran
    assert value(samples, "comfyui_workers") == 0
    other = create_app(settings).test_client()
    other.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {KEY}"
    told = {each: count for each, count in samples.items() if each[0].startswith("comfyui_job_")}
    assert told == {each: count for each, count in read(other).items() if each in told}
