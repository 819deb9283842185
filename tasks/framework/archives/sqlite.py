"""Final records in one SQLite table, with an index per way of listing them."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection
from pathlib import Path

from tasks.framework.archives import Position
from tasks.framework.database import Database
from tasks.framework.records import Final
from tasks.framework.states import State
from tasks.framework.totals import Totals, add_up, tallies

Records = list[Final]

SCHEMA = """
CREATE TABLE IF NOT EXISTS archive(
    id TEXT PRIMARY KEY,
    task TEXT,
    owner TEXT,
    state TEXT,
    created REAL,
    record TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS archive_by_task ON archive(task, created DESC, id DESC);
CREATE INDEX IF NOT EXISTS archive_by_owner ON archive(task, owner, created DESC, id DESC);
CREATE INDEX IF NOT EXISTS archive_by_state ON archive(task, state, created DESC, id DESC);
CREATE INDEX IF NOT EXISTS archive_by_owner_and_state
    ON archive(task, owner, state, created DESC, id DESC);
CREATE TABLE IF NOT EXISTS totals(
    task TEXT,
    state TEXT,
    time TEXT,
    bound REAL,
    count INTEGER,
    seconds REAL,
    PRIMARY KEY(task, state, time, bound)
) WITHOUT ROWID
"""

COUNT = """
INSERT INTO totals VALUES(?, ?, ?, ?, 1, ?)
ON CONFLICT DO UPDATE SET count = count + 1, seconds = seconds + excluded.seconds
"""


class SqliteArchive:
    """An archive for many processes on one machine. A deleted record leaves its bare id."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)

    def put(self, record: Final) -> None:
        """Keep a record, unless one was kept or deleted before."""
        if self._database.execute("SELECT 1 FROM archive WHERE id = ?", (record.id,)):
            return  # which is cheaper than a transaction, and whoever finishes a run puts it
        sql = "INSERT INTO archive VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        text = json.dumps(record.to_json())
        row = (record.id, record.task, record.owner, record.state, record.created, text)
        with self._database.transaction() as connection:
            if connection.execute(sql, row).rowcount:
                counted = [(record.task, *tally, s) for tally, s in tallies(record).items()]
                connection.executemany(COUNT, counted)

    def get(self, run_id: str) -> Final | None:
        """Return the record, or None."""
        sql = "SELECT record FROM archive WHERE id = ? AND record IS NOT NULL"
        rows = self._database.execute(sql, (run_id,))
        return Final.from_json(json.loads(rows[0][0])) if rows else None

    def list(
        self,
        *,
        task: str,
        owner: str | None = None,
        states: Collection[State] = (),
        after: Position | None = None,
        limit: int = 50,
    ) -> list[Final]:
        """Return records newest first."""
        # one ordered index walk per state, merged: an IN list would have to be sorted whole
        found: Records = []
        for state in states or (None,):
            found += self._walk(task, owner, state, after, limit)
        found.sort(key=lambda record: record.position, reverse=True)
        return found[:limit]

    def count(
        self, *, task: str, since: float = -math.inf, before: float = math.inf, most: int
    ) -> dict[State, int]:
        """Count a task's records by state."""
        sql = """
            SELECT state, COUNT(*) FROM (
                SELECT state FROM archive
                WHERE task = ? AND created >= ? AND created < ? AND record IS NOT NULL
                ORDER BY created DESC, id DESC LIMIT ?
            ) GROUP BY state
        """
        rows = self._database.execute(sql, (task, since, before, most))
        return {State(state): count for state, count in rows}

    def delete(self, run_id: str) -> None:
        """Remove a record for good."""
        sql = """
            INSERT INTO archive(id, created) VALUES(?, ?)
            ON CONFLICT DO UPDATE SET record = NULL, owner = NULL
        """
        self._database.change(sql, (run_id, time.time()))

    def purge(self, *, task: str, before: float) -> int:
        """Drop a task's records created before a moment, and deleted ones with them."""
        sql = "DELETE FROM archive WHERE (task = ? OR record IS NULL) AND created < ?"
        return self._database.change(sql, (task, before))

    def totals(self, task: str) -> Totals:
        """Return what became of a task's runs."""
        sql = "SELECT state, time, bound, count, seconds FROM totals WHERE task = ?"
        rows = self._database.execute(sql, (task,))
        return add_up((tuple(row[:3]), *row[3:]) for row in rows)

    def _walk(
        self,
        task: str,
        owner: str | None,
        state: State | None,
        after: Position | None,
        limit: int,
    ) -> Records:
        terms = {"task = ?": task, "owner = ?": owner, "state = ?": state}
        used = {term: value for term, value in terms.items() if value is not None}
        values: list[object] = list(used.values())
        where = [*used, "record IS NOT NULL"]
        if after:
            where.append("(created, id) < (?, ?)")
            values += after
        sql = (
            f"SELECT record FROM archive WHERE {' AND '.join(where)} "  # noqa: S608 - our own terms
            "ORDER BY created DESC, id DESC LIMIT ?"
        )
        rows = self._database.execute(sql, (*values, limit))
        return [Final.from_json(json.loads(text)) for (text,) in rows]
