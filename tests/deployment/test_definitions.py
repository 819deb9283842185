from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import apps
from tests.deployment.conftest import ROOT, Deploy
from tests.local_modal import LocalModal

FILES = [
    pytest.param(f"apps/{name}.toml", marks=[] if name == "default" else [pytest.mark.slow])
    for name in apps.names()
]

pytestmark = pytest.mark.live


@pytest.fixture(params=FILES)
def file(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def app(file: str) -> apps.App:
    return apps.load(ROOT / file)


@pytest.fixture
def told(deployed: Deploy, file: str) -> dict[str, Any]:
    return deployed(file)


@pytest.fixture
def worker(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = told["classes"]["ComfyRunner"]
    return found


@pytest.fixture
def api(told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = told["functions"]["api"]
    return found


def test_the_app_has_the_name_of_its_file(told: dict[str, Any], app: apps.App) -> None:
    assert told["app"] == app.name


def test_a_worker_may_get_the_gpus_in_their_order(worker: dict[str, Any], app: apps.App) -> None:
    asked = worker["gpu"] if isinstance(worker["gpu"], list) else [worker["gpu"]]
    assert asked == [gpu if ":" in gpu else f"{gpu}:1" for gpu in app.gpu]


def test_there_are_no_more_workers_than_allowed(worker: dict[str, Any], app: apps.App) -> None:
    assert worker["max_containers"] == app.limits.gpu_max_containers
    assert (worker["min_containers"] or 0) == app.limits.gpu_min_containers
    assert (worker["buffer_containers"] or 0) == app.limits.gpu_buffer_containers
    assert worker["scaledown_window"] == app.limits.gpu_scaledown_window_seconds


def test_a_worker_runs_one_job_at_a_time(worker: dict[str, Any]) -> None:
    """A sync input beside others could not be cancelled alone."""
    assert (worker["max_concurrent_inputs"] or 1) == 1


def test_a_worker_has_longer_than_its_job(worker: dict[str, Any], app: apps.App) -> None:
    assert worker["timeout"] > app.timeouts.job_seconds
    assert worker["startup_timeout"] == app.timeouts.start_seconds


def test_a_worker_is_snapshotted_as_the_file_says(worker: dict[str, Any], app: apps.App) -> None:
    assert bool(worker["enable_memory_snapshot"]) == (app.snapshot != "off")
    gpu = worker["experimental_options"].get("enable_gpu_snapshot")
    assert gpu == ("True" if app.snapshot == "gpu" else None)


def test_models_lie_on_the_volume_and_nowhere_near_comfyui(
    worker: dict[str, Any], app: apps.App
) -> None:
    assert {path: each["name"] for path, each in worker["volumes"].items()} == {
        "/cache": app.volume
    }


def test_a_worker_has_the_secret_of_the_bucket_and_not_the_key_of_the_api(
    worker: dict[str, Any], app: apps.App
) -> None:
    names = {secret["name"] for secret in worker["secrets"]} - {None}
    assert names == {app.secrets.r2}


def test_the_api_has_both_secrets(api: dict[str, Any], app: apps.App) -> None:
    names = {secret["name"] for secret in api["secrets"]} - {None}
    assert names == {app.secrets.api, app.secrets.r2}


def test_the_address_of_the_api_is_the_one_that_was_promised(api: dict[str, Any]) -> None:
    """`https://<workspace>--<app>-api.modal.run` is Modal's own for a function named api."""
    assert api["web"]["type"] == "asgi_app"
    assert not api["web"]["label"]
    assert not api["web"]["requires_proxy_auth"]


def test_the_api_answers_many_requests_in_one_container(
    api: dict[str, Any], app: apps.App
) -> None:
    assert api["max_concurrent_inputs"] == 100
    assert api["max_containers"] == app.limits.api_max_containers
    assert not api["gpu"]


def test_there_are_two_schedules(told: dict[str, Any]) -> None:
    """The smallest plan allows five for all apps together."""
    crons = {
        name: function["schedule"]["cron"]["cron_string"]
        for name, function in told["functions"].items()
        if function["schedule"]
    }
    assert crons == {
        "tasks-maintenance-tick": "* * * * *",
        "tasks-maintenance-purge": "17 3 * * *",
    }


def test_every_other_task_has_a_function_without_a_gpu(told: dict[str, Any]) -> None:
    names = {"tasks-webhook-deliver_webhook", "tasks-framework-canvas-chain"}
    assert names <= told["functions"].keys()
    assert not any(function["gpu"] for function in told["functions"].values())


def test_no_function_is_snapshotted_or_retried_by_modal(told: dict[str, Any]) -> None:
    """Retries are the protocol's: Modal's know no difference between errors."""
    for function in (*told["functions"].values(), *told["classes"].values()):
        assert not (function["retries"] or {}).get("retries")


def test_a_secret_of_the_deployers_own_environment_stays_there(
    server: LocalModal, deployed: Deploy
) -> None:
    secret = "whsec_dGhpcyBpcyBub2JvZHkgZWxzZSdzIGJ1c2luZXNz"
    assert deployed("apps/default.toml", API_KEY="my-own-api-key", WEBHOOK_SECRET=secret)
    sent = str([*server.requests("SecretGetOrCreate"), *server.requests("FunctionCreate")])
    assert "COMFYUI_APP" in sent  # what does travel is seen here
    assert secret not in sent
    assert "my-own-api-key" not in sent


def steps_of(told: dict[str, Any], image_id: str) -> list[str]:
    """Return the lines of an image and of those it is built on."""
    image = told["images"][image_id]
    bases = image["base"] or {}
    return [
        *(line for base in bases.values() for line in steps_of(told, base)),
        *image["commands"],
    ]


def test_the_worker_image_has_comfyui_at_its_version(
    told: dict[str, Any], worker: dict[str, Any], app: apps.App
) -> None:
    steps = "\n".join(steps_of(told, worker["image_id"]))
    assert f"--branch v{app.comfyui_version} " in steps
    assert "comfy_runner.nodes check /opt/ComfyUI" in steps


def test_the_worker_image_has_each_node_at_its_commit(
    told: dict[str, Any], worker: dict[str, Any], app: apps.App
) -> None:
    steps = "\n".join(steps_of(told, worker["image_id"]))
    for node in app.custom_nodes:
        assert node.url in steps
        assert node.commit in steps


def test_the_api_image_has_no_comfyui(told: dict[str, Any], api: dict[str, Any]) -> None:
    assert "ComfyUI" not in "\n".join(steps_of(told, api["image_id"]))


def test_no_build_step_runs_our_code_with_secrets_or_volumes(told: dict[str, Any]) -> None:
    assert not told["build_functions"]


def test_what_is_shipped_has_the_workflows(api: dict[str, Any]) -> None:
    assert "/root/workflows/manifest.toml" in api["source_files"]
    assert "/root/web/__init__.py" in api["source_files"]


def test_tests_and_documents_stay_at_home(api: dict[str, Any], worker: dict[str, Any]) -> None:
    for source in (*api["source_files"], *worker["source_files"]):
        assert Path(source).parts[2] not in {"tests", "docs", ".env", ".data", ".git"}


def test_the_environment_wins_over_the_file(deployed: Deploy) -> None:
    told = deployed("apps/default.toml", GPU_CONFIG="H100", GPU_MAX_CONTAINERS="5")
    worker = told["classes"]["ComfyRunner"]
    asked = worker["gpu"] if isinstance(worker["gpu"], list) else [worker["gpu"]]
    assert asked == ["H100:1"]
    assert worker["max_containers"] == 5
