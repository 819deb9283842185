"""One SQLite file that several processes and threads share."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUSY_SECONDS = 30.0
"""How long a writer waits for another one before it gives up."""


class Database:
    """A connection per thread, in WAL mode: readers never wait, writers wait for each other.

    Writers queue for a lock of the kernel's before they ask for SQLite's own, which is only
    polled for, with pauses many times longer than a write takes. Nothing depends on it: SQLite's
    lock decides, and the kernel releases ours with its process.

    Writes survive the death of any process. `durable` ones also survive a power cut, which
    costs a disk flush, and with them everything written before.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._local = threading.local()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._threads = threading.Lock()
        self._lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        weakref.finalize(self, os.close, self._lock)
        with self.transaction() as connection:
            for statement in schema.split(";"):
                connection.execute(statement)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run one statement that reads; return its rows."""
        return self._connection().execute(sql, values).fetchall()

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; return how many rows it changed."""
        with self._turn():
            return self._connection().execute(sql, values).rowcount

    def returning(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run one statement that changes rows; return what its RETURNING clause names."""
        with self._turn():
            return self._connection().execute(sql, values).fetchall()

    def durable(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Do as `change`, and wait until it is on the disk."""
        connection = self._connection()
        with self._turn():
            connection.execute("PRAGMA synchronous=FULL")
            try:
                return connection.execute(sql, values).rowcount
            finally:
                connection.execute("PRAGMA synchronous=NORMAL")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Group statements; the write lock is taken at once, so none of them can be refused."""
        connection = self._connection()
        with self._turn():
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

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._threads:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
        return connection
