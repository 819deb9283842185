"""A file that is still arriving, whichever process began it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comfy_runner.models.manifest import OWN

_CHUNK_BYTES = 4 * 1024 * 1024


class Part:
    """The first bytes of a file and their SHA-256; what an earlier process left is gone over."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.resumed = False
        self._file = path.open("ab+")
        self._hash = hashlib.sha256()
        self.size = 0
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK_BYTES):
            self._hash.update(chunk)
            self.size += len(chunk)
        self.resumed = self.size > 0

    @property
    def sha256(self) -> str:
        """The hash of what has arrived."""
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Forget all bytes."""
        self._file.truncate(0)
        self._hash = hashlib.sha256()
        self.size = 0
        self.resumed = False

    def keep(self) -> None:
        """Put everything on the disk: what is renamed next must not come out empty of a crash."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Leave the bytes for the next process."""
        self._file.close()


@contextmanager
def arriving(directory: Path, path: str, identity: str) -> Iterator[Part]:
    """Open the part of the file at `path`; parts of another content of it are thrown away.

    `identity` changes with the content: a commit, an ETag, a checksum.
    """
    place = directory / OWN / "arriving"
    stem = hashlib.sha256(path.encode()).hexdigest()[:16]
    wanted = place / f"{stem}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    for other in place.glob(f"{stem}.*"):
        if other != wanted:
            other.unlink(missing_ok=True)
    with contextlib.closing(Part(wanted)) as part:
        yield part


def arrived_bytes(directory: Path, path: str, identity: str) -> int:
    """Return how many bytes of a file an earlier pull has left."""
    stem = hashlib.sha256(path.encode()).hexdigest()[:16]
    name = f"{stem}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    try:
        return (directory / OWN / "arriving" / name).stat().st_size
    except OSError:
        return 0
