"""One SQLite file that several processes and threads share."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUSY_SECONDS = 30.0
"""How long a writer waits for another one before it gives up."""


class Database:
    """A connection per thread, in WAL mode: readers never wait, writers wait for each other.

    Writes survive the death of any process. `durable` ones also survive a power cut, which
    costs a disk flush, and with them everything written before.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._local = threading.local()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.transaction() as connection:
            for statement in schema.split(";"):
                connection.execute(statement)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run one statement, as a transaction of its own; return its rows."""
        return self._connection().execute(sql, values).fetchall()

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; return how many rows it changed."""
        return self._connection().execute(sql, values).rowcount

    def durable(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Do as `change`, and wait until it is on the disk."""
        connection = self._connection()
        connection.execute("PRAGMA synchronous=FULL")
        try:
            return connection.execute(sql, values).rowcount
        finally:
            connection.execute("PRAGMA synchronous=NORMAL")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Group statements; the write lock is taken at once, so none of them can be refused."""
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
        return connection
