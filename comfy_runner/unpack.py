"""Take one folder out of a wheel, without trusting what the wheel says about paths."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath


class UnsafeArchive(zipfile.BadZipFile):
    """An archive holds a path that leads out of the directory it is unpacked in."""


def unpack(wheel: Path, directory: Path, *, folder: str, leave_out: Collection[str] = ()) -> int:
    """Unpack a folder of a wheel as `directory`, whole or not at all, and count its files.

    What `directory` held before is replaced. The work is done in a neighbour of the same name
    plus `.partial`, which an interrupted run leaves behind and the next one removes.

    Args:
        wheel: the archive.
        directory: what the folder becomes.
        folder: the path inside the archive, ending in a slash.
        leave_out: files not to unpack, relative to the folder.

    Raises:
        UnsafeArchive: a member is a link or would lie outside; nothing is changed.
        zipfile.BadZipFile: the archive is damaged.
    """
    partial = directory.with_name(directory.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        wanted = [
            (member, _relative(member, folder))
            for member in archive.infolist()
            if member.filename.startswith(folder) and not member.is_dir()
        ]
        chosen = [(member, path) for member, path in wanted if str(path) not in leave_out]
        for member, path in chosen:
            target = partial / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
    _replace(partial, directory)
    return len(chosen)


def _relative(member: zipfile.ZipInfo, folder: str) -> PurePosixPath:
    path = PurePosixPath(member.filename[len(folder) :])
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if is_link or path.is_absolute() or ".." in path.parts or "\\" in member.filename:
        raise UnsafeArchive(f"{member.filename!r} in the archive is a link or leads out of it")
    return path


def _replace(partial: Path, directory: Path) -> None:
    partial.mkdir(exist_ok=True)
    shutil.rmtree(directory, ignore_errors=True)
    partial.rename(directory)
