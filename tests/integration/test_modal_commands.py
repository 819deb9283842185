"""What the operator's commands say of an app that runs on the stand-in for Modal."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.modal_stack import ModalStack
from tests.s3_server import S3Server

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server) -> Iterator[ModalStack]:
    directory = tmp_path_factory.mktemp("commands")
    bucket = s3_server.new_bucket()
    secrets = {
        "R2_ACCESS_KEY_ID": bucket.access_key_id,
        "R2_SECRET_ACCESS_KEY": bucket.secret_access_key,
        "R2_ENDPOINT_URL": bucket.endpoint_url,
        "R2_BUCKET_NAME": bucket.name,
    }
    with ModalStack(directory / "data", bucket, **secrets) as stack:
        yield stack


def test_the_setup_is_checked_from_inside_a_container(app: ModalStack) -> None:
    found = app.run("verify", *app.records)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "NO " not in found.stdout
    assert "The set-up of e2e is good." in found.stdout


def test_a_worker_is_started_before_the_first_job(app: ModalStack) -> None:
    found = app.run("warm", *app.records)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Starting a worker on L40S" in found.stdout
    assert len(app.modal.tasks("ComfyRunner")) == 1


def test_the_records_of_a_deployed_app_are_looked_after_from_here(app: ModalStack) -> None:
    done = app.run("submit", "text_to_image", "--no-wait")
    assert done.returncode == 0, done.stderr
    listed = app.run("tasks", "list", "--json", *app.records)
    assert listed.returncode == 0, listed.stderr
    tasks = [run["task"] for run in json.loads(listed.stdout)["runs"]]
    assert tasks.count("tasks.workflow.run_workflow") == 1
    agenda = json.loads(app.run("tasks", "schedule", "--json", *app.records).stdout)["tasks"]
    assert {each["task"] for each in agenda} == {
        "tasks.maintenance.tick",
        "tasks.maintenance.purge",
    }


def test_a_key_that_is_made_here_is_taken_there(app: ModalStack) -> None:
    key = app.run("keys", "create", "--user", "alice", *app.records).stdout.strip()
    listed = app.run("jobs", "list", "--key", key)
    assert listed.returncode == 0, listed.stderr
    key_id = json.loads(app.run("keys", "list", "--json", *app.records).stdout)["keys"][0]["id"]
    assert app.run("keys", "revoke", key_id, *app.records).returncode == 0


def test_the_secret_of_webhooks_is_told_once_there_is_one(app: ModalStack) -> None:
    told = app.run("webhooks", "secret", *app.records)
    if told.returncode:
        assert "none has been needed yet" in told.stderr
    else:
        assert told.stdout.startswith("whsec_")


def test_what_a_setup_lacks_is_named(app: ModalStack) -> None:
    app.modal.secrets["comfyui-r2"] |= {"R2_BUCKET_NAME": "elsewhere"}  # it stays: keep this last
    found = app.run("verify", *app.records)
    assert found.returncode == 1
    assert "NO  bucket" in found.stdout
    assert "The lines above that begin with NO" in found.stderr
