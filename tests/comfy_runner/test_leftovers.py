"""Old files go, new ones stay, and nothing outside is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comfy_runner.leftovers import sweep

NOW = 1_000_000.0


def make(path: Path, age: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (NOW - age, NOW - age))
    return path


def aged(folder: Path, age: float) -> None:
    os.utime(folder, (NOW - age, NOW - age))


def test_old_files_go_and_new_ones_stay(tmp_path: Path) -> None:
    old, new = make(tmp_path / "a" / "old.png", 11), make(tmp_path / "a" / "new.png", 9)
    assert sweep(tmp_path, before=NOW - 10) == 1
    assert (old.exists(), new.exists()) == (False, True)


def test_a_folder_goes_with_its_last_file_once_it_is_old_itself(tmp_path: Path) -> None:
    make(tmp_path / "a" / "b" / "old.png", 11)
    sweep(tmp_path, before=NOW - 10)  # this changes both folders, now
    for folder in (tmp_path / "a" / "b", tmp_path / "a"):
        aged(folder, 11)
    sweep(tmp_path, before=NOW - 10)
    aged(tmp_path / "a", 11)
    sweep(tmp_path, before=NOW - 10)
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_stays_although_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "just made").mkdir()
    assert sweep(tmp_path, before=NOW - 10) == 0
    assert (tmp_path / "just made").is_dir()


def test_a_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside" / "old.png", 11)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "file").symlink_to(outside)
    (inside / "folder").symlink_to(outside.parent)
    for name in ("file", "folder"):
        os.utime(inside / name, (NOW - 11, NOW - 11), follow_symlinks=False)
    sweep(inside, before=NOW - 10)
    assert outside.exists()
    assert not (inside / "file").is_symlink()


@pytest.mark.parametrize("name", ["nothing", "file"])
def test_where_there_is_no_folder_there_is_nothing_to_do(tmp_path: Path, name: str) -> None:
    make(tmp_path / "file", 11)
    assert sweep(tmp_path / name, before=NOW - 10) == 0
