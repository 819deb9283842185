"""What every bucket promises, what goes wrong in one, and which keys there are."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

LONGEST_TTL_SECONDS = 604_800
"""A week: what S3 allows for a signed URL, so that every bucket behaves alike."""

_SEGMENT = r"(?!\.)[A-Za-z0-9._+-]{1,200}"
_KEY = re.compile(rf"(?=.{{1,900}}\Z){_SEGMENT}(?:/{_SEGMENT})*")


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


class Bucket(Protocol):
    """A place for files, named by keys: path segments of `A-Z a-z 0-9 . _ + -`.

    Any number of threads and processes may use one at a time. Every method raises InvalidKey for
    another kind of key, and all but `url` raise StorageFailed when the place does not do it.
    """

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        """Store a copy of the file at `path`, whole or not at all, replacing what was there."""

    def fetch(self, key: str, path: Path) -> None:
        """Copy the file to `path`, whole or not at all; raise NoSuchFile if there is none."""

    def stored_at(self, key: str) -> float | None:
        """Return when the file was last put, in Unix time; None if there is none."""

    def url(self, key: str, *, ttl_seconds: int) -> str:
        """Return a URL that fetches the file for `ttl_seconds` from now, with no other key.

        It begins with `/` when this service itself serves the file. A lifetime that is not 1 to
        604800 seconds is a ValueError.
        """

    def delete(self, prefix: str) -> None:
        """Delete the file under the key `prefix` and all under `prefix/`; none is fine."""

    def purge(self, prefix: str, *, before: float) -> int:
        """Delete the files under `prefix/` last put before that Unix time; return how many.

        A file that is put again while a purge runs may still be deleted: whoever relies on one
        puts it anew well before its time (`stored_at` tells).
        """


def check_key(key: str) -> None:
    """Raise InvalidKey unless the key is made of plain segments."""
    if not _KEY.fullmatch(key):
        raise InvalidKey(
            f"key {key[:100]!r}: use segments of A-Z a-z 0-9 . _ + - parted by /, each of 1 to "
            "200 characters and not beginning with a dot, 900 in all"
        )


def check_ttl(ttl_seconds: int) -> None:
    """Raise ValueError unless a signed URL may live that long; S3 itself signs anything."""
    if not 1 <= ttl_seconds <= LONGEST_TTL_SECONDS:
        raise ValueError(f"ttl_seconds={ttl_seconds}: use 1 to {LONGEST_TTL_SECONDS}")


@contextmanager
def arriving(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, which becomes `path` unless the block raises."""
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
