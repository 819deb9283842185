"""Installation: which ComfyUI is used, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from comfy_runner.errors import ComfyNotInstalled
from comfy_runner.installation import STAMP, Installation, find


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


def our_install(directory: Path) -> Path:
    program(directory / "venv" / "bin" / "python")
    (directory / "ComfyUI").mkdir()
    (directory / "ComfyUI" / "main.py").touch()
    (directory / "models").mkdir()
    (directory / STAMP).touch()
    return directory


def checkout(directory: Path) -> Path:
    directory.mkdir(parents=True)
    (directory / "main.py").touch()
    return directory


def test_without_any_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(ComfyNotInstalled, match=r"manage\.py comfyui install.*COMFYUI_DIR"):
        find(default=tmp_path / "none")


def test_our_own_install_is_the_default(tmp_path: Path) -> None:
    ours = our_install(tmp_path)
    assert find(default=ours) == Installation(
        checkout=ours / "ComfyUI",
        python=ours / "venv" / "bin" / "python",
        models=ours / "models",
        front_end=ours / "web",
    )
    assert (ours / "web").is_dir()


def test_a_checkout_goes_before_the_default_and_brings_its_interpreter(tmp_path: Path) -> None:
    (tmp_path / "default").mkdir()
    ours, theirs = our_install(tmp_path / "default"), checkout(tmp_path / "theirs")
    python = program(theirs / ".venv" / "bin" / "python")
    found = find(comfyui_dir=theirs, default=ours)
    assert (found.checkout, found.python) == (theirs, python)
    assert found.models == ours / "models"


def test_a_checkout_alone_has_no_tiny_models_and_still_an_empty_front_end(tmp_path: Path) -> None:
    theirs = checkout(tmp_path / "theirs")
    program(theirs / "venv" / "bin" / "python")
    found = find(comfyui_dir=theirs, default=tmp_path / "none")
    assert found.models is None
    assert list(found.front_end.iterdir()) == []


def test_the_interpreter_can_be_named(tmp_path: Path) -> None:
    theirs = checkout(tmp_path / "theirs")
    python = program(tmp_path / "conda" / "bin" / "python")
    found = find(comfyui_dir=theirs, comfyui_python=python, default=tmp_path / "none")
    assert found.python == python


def test_a_venv_is_not_lost_by_following_its_link(tmp_path: Path) -> None:
    theirs = checkout(tmp_path / "theirs")
    real = program(tmp_path / "usr" / "bin" / "python3")
    link = theirs / "venv" / "bin" / "python"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    assert find(comfyui_dir=theirs, default=tmp_path / "none").python == link


def test_a_checkout_without_an_interpreter_asks_for_one(tmp_path: Path) -> None:
    theirs = checkout(tmp_path / "theirs")
    with pytest.raises(ComfyNotInstalled, match="Set COMFYUI_PYTHON"):
        find(comfyui_dir=theirs, default=tmp_path / "none")


def test_an_interpreter_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    theirs = checkout(tmp_path / "theirs")
    (tmp_path / "notes.txt").touch(mode=0o644)
    with pytest.raises(ComfyNotInstalled, match=r"COMFYUI_PYTHON=.*notes\.txt"):
        find(comfyui_dir=theirs, comfyui_python=tmp_path / "notes.txt", default=tmp_path)


def test_a_directory_without_comfyui_is_named(tmp_path: Path) -> None:
    with pytest.raises(ComfyNotInstalled, match=r"COMFYUI_DIR=.*holds no ComfyUI.*--dir"):
        find(comfyui_dir=tmp_path, default=tmp_path / "none")
