"""Custom nodes that import and that do not, in a real ComfyUI."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from comfy_runner.commands import CommandFailed
from comfy_runner.installation import Installation
from comfy_runner.nodes import NodesBroken, check_imports, install
from tests.comfy_runner.custom_nodes.repositories import GOOD, repository

PROJECT = Path(__file__).resolve().parents[3]
BROKEN = "import a_package_that_nobody_has\n"


@pytest.fixture
def checkout(installation: Installation, tmp_path: Path) -> Path:
    """A copy of ComfyUI that may be given nodes."""
    place = tmp_path / "ComfyUI"
    shutil.copytree(installation.checkout, place, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def put(checkout: Path, name: str, text: str, file: str = "__init__.py") -> None:
    (checkout / "custom_nodes" / name).mkdir(exist_ok=True)
    (checkout / "custom_nodes" / name / file).write_text(text)


@pytest.mark.live
@pytest.mark.slow
def test_a_broken_node_is_named_with_its_error_and_a_good_one_is_not(
    installation: Installation, checkout: Path
) -> None:
    put(checkout, "good", GOOD)
    check_imports(checkout, installation.python, expected=["good"])
    put(checkout, "broken", BROKEN)
    put(checkout, "without_nodes", "")
    put(checkout, "early", GOOD)
    put(checkout, "early", "1 / 0\n", "prestartup_script.py")
    program = [sys.executable, "-m", "comfy_runner.nodes", "check", str(checkout)]
    names = ["--python", str(installation.python), "good", "absent"]
    done = subprocess.run(
        [*program, *names], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    said = done.stderr
    assert "custom node broken fails to import:\n" in said
    assert "broken/__init__.py" in said
    assert "ModuleNotFoundError: No module named 'a_package_that_nobody_has'" in said
    assert "custom node without_nodes fails to import:\n  Skip " in said
    assert "custom node early fails to import:\n  Failed to execute startup-script" in said
    assert "custom node absent: ComfyUI did not look for it" in said
    assert "node good" not in said


@pytest.mark.live
@pytest.mark.slow
def test_nodes_are_installed_on_this_machine_and_one_that_ends_comfyui_is_named(
    installation: Installation, checkout: Path, tmp_path: Path
) -> None:
    good = repository(tmp_path / "from" / "ours", {"__init__.py": GOOD})
    told: list[str] = []
    install([good], checkout, installation.python, report=told.append, protocols=("file",))
    assert told[0] == f"custom node ours at {good.commit[:7]}"
    fatal = repository(tmp_path / "from" / "fatal", {"__init__.py": "import os\nos._exit(3)\n"})
    with pytest.raises(NodesBroken, match=r"while it imported custom node fatal: .* exit code 3"):
        install([fatal], checkout, installation.python, report=told.append, protocols=("file",))


class Says:
    """Stands for ComfyUI: prints lines and ends well, or otherwise."""

    def __init__(self, *lines: str, fails: bool = False) -> None:
        self.lines = lines
        self.fails = fails

    def run(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        assert "--quick-test-for-ci" in arguments
        for line in self.lines:
            if on_line:
                on_line(line)
        if self.fails:
            raise CommandFailed("it ended with exit code 1", self.lines)


PLACE = "/comfy/custom_nodes/broken"


def test_the_traceback_of_the_broken_node_is_told_and_not_that_of_another() -> None:
    says = Says(
        "Traceback (most recent call last):",
        "ValueError: of comfy_extras",
        f"Trying to load custom node {PLACE}",
        "Traceback (most recent call last):",
        f'  File "{PLACE}/__init__.py", line 1, in <module>',
        "KeyError: 'x'",
        f"Cannot import {PLACE} module for custom nodes: 'x'",
        "Import times for custom nodes:",
        "   0.0 seconds: /comfy/custom_nodes/good",
        f"   0.1 seconds (IMPORT FAILED): {PLACE}",
    )
    with pytest.raises(NodesBroken) as caught:
        check_imports(Path("/comfy"), Path("python"), commands=says)
    assert str(caught.value) == (
        "custom node broken fails to import:\n"
        "  Traceback (most recent call last):\n"
        f'    File "{PLACE}/__init__.py", line 1, in <module>\n'
        "  KeyError: 'x'\n"
        f"  Cannot import {PLACE} module for custom nodes: 'x'"
    )


def test_a_comfyui_that_does_not_start_is_told_with_its_last_words() -> None:
    says = Says("ImportError: libGL.so.1", fails=True)
    with pytest.raises(NodesBroken, match=r"does not start: .*\n  ImportError: libGL\.so\.1"):
        check_imports(Path("/comfy"), Path("python"), commands=says)
