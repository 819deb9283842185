"""Files on the disk of this machine, behind URLs that are signed and expire."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfy_runner.bucket.port import (
    BadSignature,
    BucketError,
    Expired,
    NoSuchFile,
    arriving,
    check_key,
    check_ttl,
)
from comfy_runner.errors import StorageFailed

_SECRET_BYTES = 32
_CHUNK_BYTES = 1 << 20
_LEFTOVER_SECONDS = 86_400
"""No put takes a day: what lies in the temporary directory for longer was left by a crash."""


@dataclass(frozen=True)
class StoredFile:
    """A file in a `LocalBucket`; what lies at `path` never changes. `size` is in bytes."""

    path: Path
    content_type: str
    filename: str
    etag: str
    size: int


class LocalBucket:
    """Files in one directory of this machine, for any number of processes at once.

    An object is a directory `<key>~` that holds each content under its own digest, and a
    `meta.json` that names the current one. Replacing that small file is what commits a put,
    so that readers see either all of the old or all of the new; a replaced content stays
    until its key is deleted, because a reader may just have got its path.
    """

    def __init__(self, root: Path, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._root = root.absolute()
        self._secret = secret
        self._clock = clock

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        """Store a copy of the file at `path`, whole or not at all, replacing what was there.

        Raises:
            InvalidKey: The key is not made of plain segments.
            StorageFailed: The file cannot be read, or the disk did not take it.
        """
        directory = self._object(key)
        try:
            with self._temporary() as work:
                content, meta = Path(work, "content"), Path(work, "meta")
                etag, size = _copy(path, content)
                stored = {"content_type": content_type, "filename": filename}
                meta.write_text(json.dumps({**stored, "etag": etag, "size": size}), "ascii")
                os.utime(meta, (self._clock(), self._clock()))
                directory.mkdir(parents=True, exist_ok=True)
                content.replace(directory / etag)
                meta.replace(directory / "meta.json")
        except OSError as error:
            raise StorageFailed(f"{filename!r} could not be stored: {error.strerror}") from error

    def open(self, key: str) -> StoredFile:
        """Return the file under the key.

        Raises:
            InvalidKey: The key is not made of plain segments.
            NoSuchFile: There is none.
        """
        directory = self._object(key)
        try:
            meta: dict[str, Any] = json.loads((directory / "meta.json").read_text("ascii"))
        except (FileNotFoundError, json.JSONDecodeError) as error:
            # A power cut may leave meta.json empty; the content was on the disk before it.
            raise NoSuchFile(f"there is no file {key!r}") from error
        return StoredFile(path=directory / meta["etag"], **meta)

    def fetch(self, key: str, path: Path) -> None:
        """Copy the file to `path`, whole or not at all.

        Raises:
            InvalidKey: The key is not made of plain segments.
            NoSuchFile: There is none.
            StorageFailed: The disk did not take it.
        """
        stored = self.open(key)
        try:
            source = stored.path.open("rb")
        except FileNotFoundError as error:  # deleted just now
            raise NoSuchFile(f"there is no file {key!r}") from error
        try:
            with source, arriving(path) as target, target.open("wb") as writer:
                shutil.copyfileobj(source, writer, _CHUNK_BYTES)
        except OSError as error:
            raise StorageFailed(f"{path.name!r} could not be fetched: {error.strerror}") from error

    def stored_at(self, key: str) -> float | None:
        """Return when the file was last put, in Unix time; None if there is none."""
        return _last_put(self._object(key))

    def url(self, key: str, *, ttl_seconds: int) -> str:
        """Return a signed, host-relative URL of the key, whether or not it has a file.

        Raises:
            InvalidKey: The key is not made of plain segments.
            ValueError: The time is not 1 to 604800 seconds.
        """
        check_ttl(ttl_seconds)
        check_key(key)
        expires = str(int(self._clock()) + ttl_seconds)
        return f"/files/{key}?expires={expires}&signature={self._signature(key, expires)}"

    def verify(self, key: str, expires: str, signature: str) -> StoredFile:
        """Return the file that a URL of ours names; the arguments are its parts as text.

        Raises:
            BadSignature: A part was changed.
            Expired: Its time is over.
            NoSuchFile: The file was deleted, or never stored.
        """
        expected = self._signature(key, expires).encode()
        given = signature.encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(expected, given):
            raise BadSignature("the signature does not match: use the URL exactly as it was given")
        if self._clock() >= int(expires):
            raise Expired("the URL has expired: ask for the job again to get a new one")
        return self.open(key)

    def delete(self, prefix: str) -> None:
        """Delete the file under the key `prefix` and all under `prefix/`; none is fine.

        Raises:
            InvalidKey: The prefix is not made of plain segments.
            StorageFailed: The disk refused.
        """
        check_key(prefix)
        try:
            with self._temporary() as work:
                for path in (self._root / prefix, self._object(prefix)):
                    _move_if_there(path, Path(work, path.name))
        except OSError as error:
            raise StorageFailed(f"{prefix!r} could not be deleted: {error.strerror}") from error

    def purge(self, prefix: str, *, before: float) -> int:
        """Delete the files under `prefix/` last put before that Unix time; return how many.

        What crashes have left in the temporary directory goes too.

        Raises:
            InvalidKey: The prefix is not made of plain segments.
            StorageFailed: The disk refused.
        """
        check_key(prefix)
        dropped = 0
        try:
            with self._temporary() as work:
                walk = os.walk(self._root / prefix, topdown=False)
                for index, (name, _, _) in enumerate(walk):
                    dropped += _drop(Path(name), before, Path(work, str(index)))
        except OSError as error:
            raise StorageFailed(f"{prefix!r} could not be purged: {error.strerror}") from error
        self._sweep()
        return dropped

    def _sweep(self) -> None:
        oldest = self._clock() - _LEFTOVER_SECONDS
        for path in (self._root / "~temporary").iterdir():
            with contextlib.suppress(FileNotFoundError):  # its owner is done with it just now
                if path.stat().st_mtime < oldest:
                    shutil.rmtree(path, ignore_errors=True)

    def _object(self, key: str) -> Path:
        check_key(key)
        return self._root / f"{key}~"

    def _temporary(self) -> tempfile.TemporaryDirectory[str]:
        """Return a directory of this call alone, on the same disk and outside every key."""
        parent = self._root / "~temporary"
        parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=parent)

    def _signature(self, key: str, expires: str) -> str:
        message = f"files v1\n{key}\n{expires}".encode("utf-8", "surrogatepass")
        digest = hmac.new(self._secret, message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _copy(source: Path, target: Path) -> tuple[str, int]:
    """Copy a file on to the disk; return the SHA-256 of its content and its size."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest(), size


def _move_if_there(path: Path, target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.rename(target)


def _last_put(directory: Path) -> float | None:
    try:
        meta = (directory / "meta.json").stat()
    except FileNotFoundError:
        return None
    return meta.st_mtime if meta.st_size else None


def _drop(directory: Path, before: float, target: Path) -> bool:
    """Delete an object, or another directory if it is empty, that is older; was it a file?

    The age of an empty one counts, too, lest it is what a put has just made and is about to fill.
    """
    is_object = directory.name.endswith("~")
    stored_at = _last_put(directory) if is_object else None
    with contextlib.suppress(FileNotFoundError):
        if (stored_at or directory.stat().st_mtime) >= before:
            return False
    if is_object:
        _move_if_there(directory, target)
        return stored_at is not None and target.exists()
    with contextlib.suppress(OSError):  # it is not empty, or gone
        directory.rmdir()
    return False


def read_secret(path: Path) -> bytes:
    """Return the secret in the file; whichever process links it there first has made it.

    Raises:
        BucketError: The file is not as it was made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=path.parent) as work:
            fresh = Path(work, "secret")
            fresh.touch(mode=0o600)
            fresh.write_bytes(secrets.token_bytes(_SECRET_BYTES))
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(fresh)
    secret = path.read_bytes()
    if len(secret) != _SECRET_BYTES:
        raise BucketError(
            f"{path.name} holds {len(secret)} bytes, not {_SECRET_BYTES}: delete it to get a new "
            "one (what was signed with it before is then no longer valid)"
        )
    return secret
