"""Small records by key, which whoever is first may keep: the port, and one file on this disk."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from comfy_runner.bucket.port import InvalidKey
from comfy_runner.errors import StorageFailed

LONGEST_KEY = 900
"""How many characters a key has at most; S3 takes 1024 bytes, of which a prefix needs some."""

# a dot or two between slashes would be taken for a way through directories
_KEY = re.compile(rf"(?!/)(?!(?:.*/)?\.\.?(?:/|\Z))[A-Za-z0-9._+@/-]{{1,{LONGEST_KEY}}}")
_PATIENCE_SECONDS = 30.0

_SCHEMA = "CREATE TABLE IF NOT EXISTS records(key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID"
_WRITE = "INTO records VALUES(?, ?)"


class Records(Protocol):
    """Small values by key: characters of `A-Z a-z 0-9 . _ + @ - /`.

    Any number of threads and processes may use them at a time, and a read sees every earlier
    write. Every method raises InvalidKey for another kind of key, and StorageFailed when the
    place does not do it.
    """

    def add(self, key: str, value: bytes) -> bool:
        """Store only if absent; say whether it did. Of many callers one at most hears True.

        None does if the answer to the one who was first got lost: a False says that there is a
        value, not whose it is.
        """

    def put(self, key: str, value: bytes) -> None:
        """Store, replacing what was there."""

    def get(self, key: str) -> bytes | None:
        """Return the value, or None."""

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[str]:
        """Return the first keys that begin with `prefix` and are greater than `after`, in order.

        They are ordered by their bytes. As `after`, any text of a key's characters will do.
        """

    def delete(self, *keys: str) -> None:
        """Remove them; absent is fine."""


class LocalRecords:
    """Records in one SQLite file, for any number of processes of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._made = False

    def add(self, key: str, value: bytes) -> bool:
        """Store only if absent; exactly one of many callers hears True."""
        check_record_key(key)
        with self._connected() as connection:
            return connection.execute(f"INSERT OR IGNORE {_WRITE}", (key, value)).rowcount == 1

    def put(self, key: str, value: bytes) -> None:
        """Store, replacing what was there."""
        check_record_key(key)
        with self._connected() as connection:
            connection.execute(f"INSERT OR REPLACE {_WRITE}", (key, value))

    def get(self, key: str) -> bytes | None:
        """Return the value, or None."""
        check_record_key(key)
        with self._connected() as connection:
            found = connection.execute("SELECT value FROM records WHERE key = ?", (key,))
            row = found.fetchone()
        return bytes(row[0]) if row else None

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[str]:
        """Return the first keys that begin with `prefix`, greater than `after`, in order."""
        check_record_key(prefix)
        # '~' sorts behind every character of a key
        sql = "SELECT key FROM records WHERE key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?"
        with self._connected() as connection:
            rows = connection.execute(sql, (prefix, after, f"{prefix}~", limit)).fetchall()
        return [key for (key,) in rows]

    def delete(self, *keys: str) -> None:
        """Remove them; absent is fine."""
        for key in keys:
            check_record_key(key)
        with self._connected() as connection:
            connection.executemany("DELETE FROM records WHERE key = ?", [(key,) for key in keys])

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose changes are on the disk when the block ends."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            made = sqlite3.connect(self._path, timeout=_PATIENCE_SECONDS)
            with closing(made) as connection, connection:
                if not self._made:
                    connection.execute(_SCHEMA)
                    self._made = True
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise StorageFailed(f"a record could not be reached on this disk: {error}") from error


def check_record_key(key: str) -> None:
    """Raise InvalidKey unless the key, or the beginning of one, is made of plain characters."""
    if not _KEY.fullmatch(key):
        raise InvalidKey(
            f"key {key[:100]!r}: use 1 to {LONGEST_KEY} characters of A-Z a-z 0-9 . _ + @ - /, "
            "but no slash first, and no dot or two alone between slashes"
        )
