from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from comfy_runner.image import comfyui_commands
from comfy_runner.packages import TORCH


def test_a_tested_release_gets_the_torch_it_was_tested_with() -> None:
    assert shlex.split(comfyui_commands("0.3.75", "/opt/C")[-1])[-1] == TORCH


def test_another_release_gets_the_torch_it_asks_for() -> None:
    assert "torch" not in comfyui_commands("9.9.9", "/opt/C")[-1]


def test_the_release_is_fetched_by_its_tag() -> None:
    assert "--branch v0.3.75 " in comfyui_commands("0.3.75", "/opt/C")[0]


def test_the_commands_are_good_shell(tmp_path: Path) -> None:
    script = tmp_path / "build.sh"
    script.write_text("\n".join(comfyui_commands("0.3.75", "/opt/a place's")))
    subprocess.run(["sh", "-n", str(script)], check=True, timeout=10)
