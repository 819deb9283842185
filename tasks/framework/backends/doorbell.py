"""Waking processes on one machine, and knowing which of them live: a named pipe each.

A process that wants to be woken holds a pipe open for reading. Whoever has news writes a byte
to every pipe; one that nobody reads belongs to a dead process. The kernel closes a pipe with its
process, however that ends, so nothing has to be cleaned up and no process id can be mistaken.
"""

from __future__ import annotations

import errno
import os
import re
import select
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Doorbell:
    """One process's own pipe."""

    def __init__(self, directory: Path, name: str) -> None:
        if not NAME.fullmatch(name):
            raise ValueError(f"worker name {name!r}: use 1 to 100 letters, digits, - and _")
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / name
        if is_heard(directory, name):
            raise ValueError(f"worker name {name!r} is in use by a running process")
        new = directory / f".{name}"
        new.unlink(missing_ok=True)
        os.mkfifo(new, 0o600)
        # opened for writing as well, so that it never reads as closed
        self._pipe = os.open(new, os.O_RDWR | os.O_NONBLOCK)
        new.rename(self._path)  # only now can it be found: nobody takes it for a dead one

    def wait(self, seconds: float) -> bool:
        """Wait to be rung, at most so long; say whether it was. Signals are handled meanwhile."""
        ready, _, _ = select.select([self._pipe], [], [], seconds)
        if not ready:
            return False
        os.read(self._pipe, 65536)
        return True

    def ring(self) -> None:
        """Ring this very bell."""
        _write(self._pipe)

    def close(self) -> None:
        """Take the bell down."""
        os.close(self._pipe)
        self._path.unlink(missing_ok=True)


def ring_all(directory: Path) -> None:
    """Wake every process that has a bell in the directory; take down bells of dead ones."""
    for name in _names(directory):
        pipe = _open(directory / name)
        if pipe is None:
            (directory / name).unlink(missing_ok=True)
            continue
        try:
            _write(pipe)
        finally:
            os.close(pipe)


def is_heard(directory: Path, name: str) -> bool:
    """Whether the process with that bell is alive."""
    pipe = _open(directory / name)
    if pipe is None:
        return False
    os.close(pipe)
    return True


def _names(directory: Path) -> list[str]:
    try:
        names = os.listdir(directory)  # noqa: PTH208 - done at every submission, and thrice as fast
    except FileNotFoundError:
        return []  # nobody has ever listened
    return [name for name in names if not name.startswith(".")]


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.ENOENT}:  # nobody reads it; it is gone
            return None
        raise


def _write(pipe: int) -> None:
    try:
        os.write(pipe, b"!")
    except BlockingIOError:
        return  # it is full: whoever reads it will wake anyway
    except BrokenPipeError:
        return  # its process died just now
