"""Unpack: a folder of a wheel becomes a directory, whole or not at all."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from comfy_runner.unpack import UnsafeArchive, unpack


def wheel(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def content(directory: Path) -> dict[str, str]:
    files = (file for file in directory.rglob("*") if file.is_file())
    return {file.relative_to(directory).as_posix(): file.read_text() for file in files}


def test_one_folder_is_taken_and_files_can_be_left_out(tmp_path: Path) -> None:
    files = {"in/a.py": "a", "in/sub/b.py": "b", "in/bad.yaml": "no", "out/c.py": "c"}
    archive = wheel(tmp_path / "w.whl", **files)
    target = tmp_path / "code"
    assert unpack(archive, target, folder="in/", leave_out={"bad.yaml"}) == 2
    assert content(target) == {"a.py": "a", "sub/b.py": "b"}


def test_what_was_there_and_what_an_interrupted_run_left_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "code"
    for leftover in (target, tmp_path / "code.partial"):
        leftover.mkdir()
        (leftover / "old.py").touch()
    unpack(wheel(tmp_path / "w.whl", **{"in/a.py": "a"}), target, folder="in/")
    assert content(target) == {"a.py": "a"}
    assert not (tmp_path / "code.partial").exists()


@pytest.mark.parametrize("name", ["in/../../evil", "in//etc/evil", "in/a\\..\\evil"])
def test_a_path_that_leads_out_is_refused_and_nothing_changed(tmp_path: Path, name: str) -> None:
    target = tmp_path / "code"
    target.mkdir()
    (target / "old.py").write_text("old")
    archive = wheel(tmp_path / "w.whl", **{"in/a.py": "a", name: "evil"})
    with pytest.raises(UnsafeArchive, match="evil"):
        unpack(archive, target, folder="in/")
    assert content(target) == {"old.py": "old"}


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("in/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "w.whl", "w") as archive:
        archive.writestr(link, "/etc")
    with pytest.raises(UnsafeArchive, match="link"):
        unpack(tmp_path / "w.whl", tmp_path / "code", folder="in/")


def test_a_damaged_archive_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "code"
    target.mkdir()
    (target / "old.py").write_text("old")
    archive = wheel(tmp_path / "w.whl", **{"in/a.py": "a" * 1000})
    archive.write_bytes(archive.read_bytes().replace(b"aaaa", b"aaab"))
    with pytest.raises(zipfile.BadZipFile):
        unpack(archive, target, folder="in/")
    assert content(target) == {"old.py": "old"}
