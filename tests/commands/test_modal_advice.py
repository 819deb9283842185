"""What to do next, by what Modal says when something fails."""

from __future__ import annotations

from pathlib import Path

import pytest

import apps
from commands.modal_advice import advice, failure
from commands.modal_target import Target

TARGET = Target(Path("apps/video.toml"), apps.load(), {}, option=" --app apps/video.toml")


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("Token missing. Could not authenticate client. If you have", "-m modal setup"),
        ("Token ID is malformed", "MODAL_TOKEN_SECRET"),
        ("Secret 'comfyui-r2' not found in environment 'main'", "manage.py secrets --app apps/v"),
        ("│ Secret 'comfyui-r2' not │\n│ found in environment    │", "manage.py secrets --app"),
        ("Secret 'a-b' is missing key(s): API_KEY", "lacks a key"),
        ("No App with name 'x' found in the '' environment.", "manage.py deploy --app apps/video"),
        ("App 'comfyui-video' not found in environment 'main'", "manage.py deploy"),
        ("App 'comfyui-saas' has no function 'api'", "comfyui-saas is not deployed"),
        ("Environment 'dev' not found", "environment create NAME"),
        ("Could not connect to the Modal server.", "https://status.modal.com"),
        ("ModuleNotFoundError: No module named 'flask'", "make setup"),
        ("/x/tasks/a.py was modified during build process.", "run the same again"),
        ("ResourceExhausted: too many", "limit of its plan"),
    ],
)
def test_a_usual_failure_has_a_remedy(said: str, remedy: str) -> None:
    found = advice(said, TARGET)
    assert found
    assert remedy in found
    assert str(failure(said, TARGET, doing="Deploying")) == f"Deploying failed. {found}"


def test_an_unusual_failure_is_told_as_it_is() -> None:
    assert advice("The moon is full", TARGET) is None
    assert str(failure("The moon is full", TARGET, doing="It")) == "It failed. The moon is full"


def test_what_came_before_the_failure_is_not_taken_for_its_cause() -> None:
    before = "Created web (UNAUTHENTICATED)\nError: No module named 'x', said a container\n"
    assert advice(f"{before}Traceback (most recent call last):\nSystemExit: 1\n", TARGET) is None
    found = advice(f"{before}Error: Secret 'a' not found\n", TARGET)
    assert found
    assert "manage.py secrets" in found
