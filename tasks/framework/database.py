"""One SQLite file that several processes and threads share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tenacity

BUSY_SECONDS = 30.0
"""How long a writer waits for another one before it gives up."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY)


class Database:
    """Connections in WAL mode: readers never wait, writers wait for each other.

    Any number of threads may use it; there are as many connections as were ever needed at once.
    Writes survive the death of any process. `durable` ones also survive a power cut, which
    costs a disk flush, and with them everything written before.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.separate() as connection:
            _into_wal(connection)
        with self.transaction() as connection:
            for statement in schema.split(";"):
                connection.execute(statement)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run one statement, as a transaction of its own; return its rows."""
        with self._lent() as connection:
            return connection.execute(sql, values).fetchall()

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; return how many rows it changed."""
        with self._lent() as connection:
            return connection.execute(sql, values).rowcount

    def durable(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Do as `change`, and wait until it is on the disk."""
        with self._lent() as connection:
            connection.execute("PRAGMA synchronous=FULL")
            try:
                return connection.execute(sql, values).rowcount
            finally:
                connection.execute("PRAGMA synchronous=NORMAL")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Group statements; the write lock is taken at once, so none of them can be refused."""
        with self._lent() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def separate(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that nobody else ever uses."""
        connection = self._connect()
        try:
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection used last to one thread; one that met an error is not kept."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode in _BUSY


@tenacity.retry(
    retry=tenacity.retry_if_exception(_is_busy),
    stop=tenacity.stop_after_delay(BUSY_SECONDS),
    wait=tenacity.wait_random(0.005, 0.05),
    reraise=True,
)
def _into_wal(connection: sqlite3.Connection) -> None:
    """Make the file one with a write-ahead log, which it stays for every later connection.

    SQLite does not wait by itself here: of two processes that start on a new file at a time each
    may hold what the other wants, and one is refused at once (sqlite.org/c3ref/busy_handler.html).
    """
    connection.execute("PRAGMA journal_mode=WAL")
