"""The commands for Modal, against a stand-in for its control plane, by the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import apps
from tests.commands.support import PROJECT
from tests.local_modal import LocalModal

R2 = {
    "R2_ACCESS_KEY_ID": "access-3141",
    "R2_SECRET_ACCESS_KEY": "hush-2718",
    "R2_ENDPOINT_URL": "https://account.r2.cloudflarestorage.com",
    "R2_BUCKET_NAME": "outputs",
}
NAMES = ("comfyui-api-secret", "comfyui-r2")


@pytest.fixture
def modal() -> Iterator[LocalModal]:
    with LocalModal(run_containers=False) as stand_in:
        yield stand_in


def manage(
    directory: Path, *arguments: str, modal: LocalModal | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run manage.py in a directory of its own, with no account but the stand-in's."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, PROJECT / "manage.py", *arguments],
        cwd=directory,
        env={**kept, "HOME": str(directory), **(modal.env() if modal else {}), **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_without_a_token_it_says_how_to_log_in(tmp_path: Path) -> None:
    found = manage(tmp_path, "url")
    assert (found.returncode, found.stdout) == (1, "")
    assert "modal setup" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [["deploy"], ["verify"], ["logs"], ["stop", "--yes"], ["warm"]]
)
def test_every_command_says_how_to_log_in(tmp_path: Path, command: list[str]) -> None:
    found = manage(tmp_path, *command)
    assert found.returncode == 1
    assert "modal setup" in found.stderr


@pytest.mark.live
@pytest.mark.slow
def test_secrets_are_made_from_the_environment_and_shown_to_nobody(
    tmp_path: Path, modal: LocalModal
) -> None:
    (tmp_path / ".env").write_text("API_KEY=key-1618\nWEBHOOK_SECRET=\n")
    found = manage(tmp_path, "secrets", modal=modal, **R2)
    assert found.returncode == 0, found.stderr
    assert modal.secrets == {NAMES[0]: {"API_KEY": "key-1618"}, NAMES[1]: R2}
    said = found.stdout + found.stderr
    assert "comfyui-r2 is on Modal, with R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY" in said
    assert not [value for value in ("key-1618", *R2.values()) if value in said]


@pytest.mark.live
@pytest.mark.slow
def test_a_missing_api_key_is_made_once_and_then_left_alone(
    tmp_path: Path, modal: LocalModal
) -> None:
    first = manage(tmp_path, "secrets", modal=modal, **R2)
    key = modal.secrets[NAMES[0]]["API_KEY"]
    assert first.stdout.split().count(key) == 1
    assert len(key) >= 40
    again = manage(tmp_path, "secrets", modal=modal)
    assert again.returncode == 0
    assert f"{NAMES[0]} is on Modal already" in again.stdout
    assert f"{NAMES[1]} is on Modal already" in again.stdout
    assert key not in again.stdout + again.stderr
    assert modal.secrets == {NAMES[0]: {"API_KEY": key}, NAMES[1]: R2}


@pytest.mark.live
@pytest.mark.slow
def test_a_bucket_that_nobody_has_named_is_asked_for(tmp_path: Path, modal: LocalModal) -> None:
    found = manage(tmp_path, "secrets", modal=modal, API_KEY="k")
    assert found.returncode == 1
    assert "comfyui-r2 needs R2_ACCESS_KEY_ID" in found.stderr


@pytest.mark.live
@pytest.mark.slow
def test_an_app_that_is_not_deployed_is_named_with_the_remedy(
    tmp_path: Path, modal: LocalModal
) -> None:
    video = str(PROJECT / "apps" / "video.toml")
    for command in (["url"], ["logs"], ["stop", "--yes"], ["warm"]):
        found = manage(tmp_path, *command, "--app", video, modal=modal)
        assert found.returncode == 1
        remedy = (
            f"comfyui-video is not deployed there. Run `python manage.py deploy --app {video}`"
        )
        assert remedy in found.stderr, command


@pytest.mark.live
@pytest.mark.slow
def test_a_deploy_without_secrets_says_how_to_make_them(tmp_path: Path, modal: LocalModal) -> None:
    found = manage(tmp_path, "deploy", modal=modal)
    assert found.returncode == 1
    assert "Run `python manage.py secrets`" in found.stderr
    modal.secrets[NAMES[0]] = {"OTHER": "x"}
    modal.secrets[NAMES[1]] = R2
    assert "lacks a key" in manage(tmp_path, "deploy", modal=modal).stderr


@pytest.mark.live
@pytest.mark.slow
def test_an_app_goes_from_its_file_to_an_address_and_away_again(
    tmp_path: Path, modal: LocalModal
) -> None:
    modal.secrets |= {NAMES[0]: {"API_KEY": "k"}, NAMES[1]: R2}
    image = str(PROJECT / "apps" / "image.toml")
    made = manage(tmp_path, "deploy", "--app", image, modal=modal, GPU_MAX_CONTAINERS="5")
    assert made.returncode == 0, made.stdout + made.stderr
    summary = modal.summary()
    assert summary["app"] == "comfyui-image"
    assert summary["classes"]["ComfyRunner"]["max_containers"] == 5
    assert f"manage.py verify --app {image}" in made.stdout
    url = manage(tmp_path, "url", "--app", image, modal=modal).stdout.strip()
    assert url == modal.web_url("api")
    assert f"curl -sS {url}/v1/jobs" in made.stdout
    stopped = manage(tmp_path, "stop", "--yes", "--app", image, modal=modal)
    assert "comfyui-image is stopped" in stopped.stdout
    assert manage(tmp_path, "url", "--app", image, modal=modal).returncode == 1


def test_the_default_app_is_the_one_of_the_customers_address() -> None:
    assert apps.load().name == "comfyui-saas"


@pytest.mark.live
@pytest.mark.slow
def test_keys_are_made_in_the_app_that_is_named(tmp_path: Path, modal: LocalModal) -> None:
    made = manage(tmp_path, "keys", "create", "--on", "modal", modal=modal, **R2)
    assert made.returncode == 0, made.stderr
    listed = manage(tmp_path, "keys", "list", "--json", "--on", "modal", modal=modal, **R2)
    (key,) = json.loads(listed.stdout)["keys"]
    assert key["id"] in made.stderr
    image = str(PROJECT / "apps" / "image.toml")
    elsewhere = manage(tmp_path, "keys", "list", "--json", "--app", image, modal=modal, **R2)
    assert json.loads(elsewhere.stdout)["keys"] == []
    assert not (tmp_path / ".data").exists()
