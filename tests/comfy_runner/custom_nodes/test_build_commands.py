"""The shell commands that install custom nodes, run with real repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps import CustomNode
from comfy_runner.nodes import build_commands
from tests.comfy_runner.custom_nodes.repositories import GOOD, git, repository

FAKE_PIP = """#!/bin/sh
case "$*" in
  *" list "*) printf 'numpy==1.0\\ntorch==2.9.0+cpu\\ntorchvision==0.15.2\\ntorchsde==0.2.6\\n';;
  *) echo "$*" >> "{said}"; case "$*" in *bad*) exit 1;; esac;;
esac
"""


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter whose pip writes down what it is asked."""
    program = tmp_path / "python"
    program.write_text(FAKE_PIP.format(said=tmp_path / "said"))
    program.chmod(0o755)
    return program


def build(
    node: CustomNode, tmp_path: Path, python: Path | str = sys.executable, **environment: str
) -> subprocess.CompletedProcess[str]:
    place = str(tmp_path / "custom nodes")  # a blank, to see that it is quoted
    (command,) = build_commands([node], directory=place, python=str(python), protocols=("file",))
    return subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_node_lies_at_exactly_its_commit_and_nothing_before_it(tmp_path: Path) -> None:
    node = repository(tmp_path / "repositories" / "ours", {"__init__.py": GOOD})
    done = build(node, tmp_path)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "custom nodes" / "ours"
    assert (place / "__init__.py").read_text() == GOOD
    assert git(place, "rev-parse", "HEAD") == node.commit
    assert git(place, "rev-list", "--count", "HEAD") == "1"


def test_a_second_run_needs_no_server(tmp_path: Path) -> None:
    origin = tmp_path / "repositories" / "ours"
    node = repository(origin, {"__init__.py": GOOD})
    assert build(node, tmp_path).returncode == 0
    origin.rename(tmp_path / "away")
    assert build(node, tmp_path).returncode == 0


def test_another_commit_replaces_the_first(tmp_path: Path) -> None:
    origin = tmp_path / "repositories" / "ours"
    node = repository(origin, {"__init__.py": GOOD})
    build(node, tmp_path)
    later = CustomNode(url=node.url, commit=git(origin, "rev-parse", "HEAD"))
    assert build(later, tmp_path).returncode == 0
    assert "a later commit" in (tmp_path / "custom nodes" / "ours" / "__init__.py").read_text()


def test_requirements_are_installed_and_torch_is_kept(tmp_path: Path, python: Path) -> None:
    files = {"__init__.py": GOOD, "requirements.txt": "einops\n"}
    node = repository(tmp_path / "repositories" / "ours", files, pip=("extra==1.0",))
    done = build(node, tmp_path, python)
    assert done.returncode == 0, done.stderr
    requirements, extra = (tmp_path / "said").read_text().splitlines()
    place = tmp_path / "custom nodes" / "ours"
    kept = place / ".git" / "kept.txt"
    assert requirements.endswith(f"-c {kept} -r {place}/requirements.txt")
    assert extra.endswith(f"-c {kept} extra==1.0")
    assert kept.read_text().split() == ["torch==2.9.0+cpu", "torchvision==0.15.2"]


@pytest.mark.parametrize("fault", ["commit", "repository", "pip"])
def test_what_cannot_be_installed_fails_with_its_name(
    tmp_path: Path, python: Path, fault: str
) -> None:
    origin = tmp_path / "repositories" / "ours"
    node = repository(origin, {"__init__.py": GOOD}, pip=("bad==1",) if fault == "pip" else ())
    if fault == "repository":
        origin.rename(tmp_path / "away")
    if fault == "commit":
        node = CustomNode(url=node.url, commit="0" * 40)
    done = build(node, tmp_path, python)
    assert done.returncode == 1
    told = f"custom node ours: {node.url} at {node.commit} cannot be installed"
    assert told in done.stderr.splitlines()  # git may have its last word after ours


def test_what_git_has_checked_out_is_looked_at(tmp_path: Path) -> None:
    node = repository(tmp_path / "repositories" / "ours", {"__init__.py": GOOD})
    (tmp_path / "git").write_text("#!/bin/sh\necho another\n")
    (tmp_path / "git").chmod(0o755)
    done = build(node, tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (done.returncode, "cannot be installed" in done.stderr) == (1, True)


def test_git_may_fetch_by_https_only_unless_told_otherwise(tmp_path: Path) -> None:
    node = repository(tmp_path / "ours", {"__init__.py": GOOD})
    with pytest.raises(ValueError, match="git may fetch by https only"):
        build_commands([node], directory="x")


def test_a_branch_is_no_commit() -> None:
    node = CustomNode(url="https://example.com/a", commit="main")
    with pytest.raises(ValueError, match="a: 'main' is no whole commit"):
        build_commands([node], directory="x")
