"""Where files live: the port, and local disk behind signed, expiring URLs."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from comfy_runner.errors import StorageFailed

if TYPE_CHECKING:
    from settings import Settings

LONGEST_TTL_SECONDS = 604_800
"""A week: what S3 allows for a signed URL, so that every bucket behaves alike."""

_SEGMENT = r"(?!\.)[A-Za-z0-9._+-]{1,200}"
_KEY = re.compile(rf"(?=.{{1,900}}\Z){_SEGMENT}(?:/{_SEGMENT})*")
_SECRET_BYTES = 32
_CHUNK_BYTES = 1 << 20


class BucketError(Exception):
    """A bucket could not do what it was asked; the message is safe for clients."""


class InvalidKey(BucketError):
    """A key is not made of plain path segments."""


class BadSignature(BucketError):
    """A URL was not signed by this bucket, or was changed."""


class Expired(BucketError):
    """A URL was valid, and its time is over."""


class NoSuchFile(BucketError):
    """There is no file under a key."""


@dataclass(frozen=True)
class StoredFile:
    """A file in a `LocalBucket`; what lies at `path` never changes. `size` is in bytes."""

    path: Path
    content_type: str
    filename: str
    etag: str
    size: int


class Bucket(Protocol):
    """A place for files, named by keys: path segments of `A-Z a-z 0-9 . _ -`."""

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        """Store a copy of the file at `path`, whole or not at all, replacing what was there."""

    def url(self, key: str, *, ttl_seconds: int) -> str:
        """Return a URL that fetches the file for `ttl_seconds` from now, with no other key."""

    def delete(self, prefix: str) -> None:
        """Delete the file under the key `prefix` and all under `prefix/`; none is fine."""


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

    def url(self, key: str, *, ttl_seconds: int) -> str:
        """Return a signed, host-relative URL of the key, whether or not it has a file.

        Raises:
            InvalidKey: The key is not made of plain segments.
            ValueError: The time is not 1 to 604800 seconds.
        """
        if not 1 <= ttl_seconds <= LONGEST_TTL_SECONDS:
            raise ValueError(f"ttl_seconds={ttl_seconds}: use 1 to {LONGEST_TTL_SECONDS}")
        _check_key(key)
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
        _check_key(prefix)
        try:
            with self._temporary() as work:
                for path in (self._root / prefix, self._object(prefix)):
                    _move_if_there(path, Path(work, path.name))
        except OSError as error:
            raise StorageFailed(f"{prefix!r} could not be deleted: {error.strerror}") from error

    def _object(self, key: str) -> Path:
        _check_key(key)
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


def open_bucket(settings: Settings) -> Bucket:
    """Return the bucket that the settings describe.

    Raises:
        BucketError: The secret that signs URLs was damaged.
    """
    secret = _secret(settings.data_dir / "url_secret")
    return LocalBucket(settings.data_dir / "files", secret)


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise InvalidKey(
            f"key {key[:100]!r}: use segments of A-Z a-z 0-9 . _ - parted by /, each of 1 to 200 "
            "characters and not beginning with a dot, 900 in all"
        )


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


def _secret(path: Path) -> bytes:
    """Return the secret in the file; whichever process links it there first has made it."""
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
            "one (URLs given out before stop working)"
        )
    return secret
