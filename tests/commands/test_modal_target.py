"""Which app on Modal a command is about, and whose records the others work on."""

from __future__ import annotations

from pathlib import Path

import pytest

import apps
from commands.modal_cli import environment
from commands.modal_target import Target
from tests.commands.support import run


def written(directory: Path, text: str) -> str:
    file = directory / "mine.toml"
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize("command", ["deploy", "verify", "warm", "url", "logs", "secrets", "stop"])
def test_a_wrong_app_file_is_told_before_modal_is_asked(tmp_path: Path, command: str) -> None:
    file = written(tmp_path, 'name = "mine"\ngpu = ["L4OS"]\n')
    result = run(command, "--app", file)
    assert result.exit_code == 1
    assert f'{file} has 1 problem:\n  gpu[0] = "L4OS"' in result.output


def test_the_app_of_the_environment_is_taken_when_none_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, "")
    assert f"{file} has 1 problem" in run("url", APP_FILE=file).output


def test_what_the_environment_overrides_is_checked_with_the_file() -> None:
    result = run("url", "--app", str(apps.DEFAULT), GPU_MIN_CONTAINERS="3")
    assert "limits.gpu_min_containers = 3: must not exceed" in result.output


def test_one_command_works_on_the_records_of_one_place(tmp_path: Path) -> None:
    both = run("keys", "list", "--app", "a.toml", "--data", str(tmp_path))
    assert "--data is about this machine" in both.output
    contrary = run("tasks", "list", "--app", "a.toml", "--on", "here")
    assert "--app is about Modal" in contrary.output


def test_records_on_modal_want_the_bucket_named_here() -> None:
    result = run("tasks", "list", "--on", "modal", R2_BUCKET_NAME="")
    assert result.exit_code == 1
    assert "R2_BUCKET_NAME is not set" in result.output


def test_half_a_bucket_is_refused_before_modal_is_asked() -> None:
    result = run("secrets", API_KEY="k", R2_BUCKET_NAME="outputs")
    assert result.exit_code == 1
    assert "R2 is half configured" in result.output


def test_an_app_that_is_run_for_one_call_keeps_nothing_standing_by() -> None:
    given = {"GPU_MIN_CONTAINERS": "3", "GPU_MAX_CONTAINERS": "4"}
    target = Target(apps.DEFAULT, apps.load(), given)
    called = environment(target, ("run", "modal_app.py::verify_setup"))
    assert (called["GPU_MIN_CONTAINERS"], called["GPU_MAX_CONTAINERS"]) == ("0", "4")
    deployed = environment(target, ("deploy", "modal_app.py"))
    assert deployed["GPU_MIN_CONTAINERS"] == "3"
