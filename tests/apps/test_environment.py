from __future__ import annotations

import apps
from apps import App, Limits, Timeouts
from apps.environment import APP, CHECKOUT, MODELS, container_environment
from settings import SETTINGS, Settings

A = App(
    name="a",
    gpu=("H100", "L40S"),
    allowed_gpus=("A100", "L4"),
    cpu_jobs=True,
    limits=Limits(gpu_max_containers=7),
    timeouts=Timeouts(job_seconds=900, start_seconds=300),
)


def test_what_is_set_at_deploy_holds_in_the_containers() -> None:
    found = container_environment(A, {"MAX_ACTIVE_JOBS_PER_USER": " 9 ", "LOG_FORMAT": "json"})
    assert found["MAX_ACTIVE_JOBS_PER_USER"] == "9"
    assert found["LOG_FORMAT"] == "json"


def test_no_secret_travels() -> None:
    secret = {setting.name: "whsec_c2VjcmV0" for setting in SETTINGS if setting.secret}
    assert not secret.keys() & container_environment(A, secret).keys()


def test_what_concerns_the_deployers_machine_stays_there() -> None:
    here = {"PORT": "1", "DATA_DIR": "/here", "COMFYUI_DIR": "/mine", "COMFYUI_DEVICE": "cpu"}
    found = container_environment(A, {**here, "R2_BUCKET_NAME": "my-own", "PATH": "/bin"})
    assert found["COMFYUI_DIR"] == CHECKOUT
    assert found["MODELS_DIR"] == MODELS
    assert found.get("DATA_DIR") != "/here"
    assert not {"PORT", "COMFYUI_DEVICE", "R2_BUCKET_NAME", "PATH"} & found.keys()


def test_the_app_says_what_its_file_says() -> None:
    found = container_environment(A, {})
    assert App.from_json(found[APP]) == A
    told = Settings.from_environment(found)
    assert told.job_timeout_seconds == 900
    assert told.comfyui_start_timeout_seconds == 300
    assert told.gpu_config == "H100"
    assert told.gpu_max_containers == 7


def test_a_container_says_again_what_it_was_told() -> None:
    deployed = container_environment(A, {"MAX_QUEUED_JOBS": "5"})
    inside = {**deployed, "PATH": "/bin", "API_KEY": "secret", "MODAL_TASK_ID": "ta-1"}
    assert container_environment(apps.load(), inside) == deployed
