"""Records in one SQLite table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.framework.database import Database
from tasks.framework.stores import Json

SCHEMA = "CREATE TABLE IF NOT EXISTS records(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID"

FLUSHED = ("job:", "final:", "stop:", "key:", "secret:")
"""What somebody has been told and a power cut may not take back: flushed to the disk.

A slot is on the disk with the job that follows it. A claim means nothing after a power cut,
which ends its worker too. The rest is repaired or written again.
"""

LAST = "\U0010ffff"
"""Sorts behind every character that a key can have."""


class SqliteStore:
    """A store for many processes on one machine."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)

    def add(self, key: str, value: Json) -> bool:
        """Store only if absent."""
        sql = "INSERT INTO records VALUES(?, ?) ON CONFLICT DO NOTHING"
        write = self._database.durable if key.startswith(FLUSHED) else self._database.change
        return write(sql, (key, _dump(value))) == 1

    def put(self, key: str, value: Json) -> None:
        """Store, replacing what was there."""
        self._database.change("INSERT OR REPLACE INTO records VALUES(?, ?)", (key, _dump(value)))

    def get(self, key: str) -> Json | None:
        """Return the value, or None."""
        rows = self._database.execute("SELECT value FROM records WHERE key = ?", (key,))
        return _load(rows[0][0]) if rows else None

    def delete(self, *keys: str, if_value: Json | None = None) -> None:
        """Remove them, with ``if_value`` only if that is their value: one statement either way."""
        if not keys:
            return
        places = ", ".join("?" * len(keys))
        sql = f"DELETE FROM records WHERE key IN ({places})"  # noqa: S608 - question marks only
        if if_value is None:
            self._database.change(sql, keys)
            return
        self._database.change(f"{sql} AND value = ?", (*keys, _dump(if_value)))

    def scan(self, prefix: str) -> Iterator[tuple[str, Json]]:
        """Yield every record under the prefix, as it was when the scan began."""
        sql = "SELECT key, value FROM records WHERE key >= ? AND key < ? ORDER BY key"
        rows = self._database.execute(sql, (prefix, prefix + LAST))
        values = json.loads(f"[{','.join(text for _, text in rows)}]")  # half the time of each
        yield from zip((key for key, _ in rows), values, strict=True)

    @contextmanager
    def observed(self) -> Iterator[Callable[[], int]]:
        """Give what SQLite itself counts of other connections' changes; it reads no table."""
        with self._database.separate() as connection:
            # https://www.sqlite.org/pragma.html#pragma_data_version
            yield lambda: int(connection.execute("PRAGMA data_version").fetchone()[0])


def _dump(value: Json) -> str:
    # sorted, so that equal values are equal texts and `delete` can compare them
    return json.dumps(dict(value), sort_keys=True, separators=(",", ":"))


def _load(text: str) -> Json:
    value: Json = json.loads(text)
    return value
