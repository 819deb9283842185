"""Runs carried out by worker processes on this machine, which claim messages from SQLite."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from tasks.framework.backends import Json
from tasks.framework.backends.doorbell import is_heard, ring_all
from tasks.framework.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS calls(
    call INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    pool TEXT NOT NULL,
    message TEXT NOT NULL,
    due REAL NOT NULL,
    worker TEXT
);
CREATE INDEX IF NOT EXISTS calls_waiting ON calls(pool, due, call) WHERE worker IS NULL;
CREATE INDEX IF NOT EXISTS calls_in_hand ON calls(pool) WHERE worker IS NOT NULL;
CREATE INDEX IF NOT EXISTS calls_by_run ON calls(run)
"""


@dataclass(frozen=True)
class Delivery:
    """A message that this process has claimed."""

    call: int
    message: Json


class LocalBackend:
    """A queue in SQLite and two doorbells per worker process: for new messages, and for nudges.

    A message stays until its delivery is over, so that one whose worker died is found again.
    """

    def __init__(self, path: Path, bells: Path) -> None:
        self._database = Database(path, SCHEMA)
        self.bells = bells
        self.nudges = bells.parent / "nudges"

    def submit(self, message: Json, pool: str, due: float) -> str:
        """Queue the message and wake the workers."""
        self._drop_dead(message["id"])
        sql = "INSERT INTO calls(run, pool, message, due) VALUES(?, ?, ?, ?) RETURNING call"
        values = (message["id"], pool, json.dumps(dict(message)), due)
        rows = self._database.execute(sql, values)
        ring_all(self.bells)
        return str(rows[0][0])

    def cancel(self, call_id: str) -> None:
        """Drop the message if no worker has claimed it."""
        self._database.change("DELETE FROM calls WHERE call = ? AND worker IS NULL", (call_id,))

    def alive(self, call_id: str) -> bool:
        """Whether the message waits, or its worker lives."""
        rows = self._database.execute("SELECT worker FROM calls WHERE call = ?", (call_id,))
        return bool(rows) and (rows[0][0] is None or is_heard(self.bells, rows[0][0]))

    def nudge(self) -> None:
        """Have every busy worker look at its records."""
        ring_all(self.nudges)

    def ahead(self, call_id: str, most: int) -> int | None:
        """Count the messages that will be claimed before this one, up to ``most``.

        None: it does not wait.
        """
        sql = "SELECT pool, due FROM calls WHERE call = ? AND worker IS NULL"
        rows = self._database.execute(sql, (call_id,))
        if not rows:
            return None
        sql = """
            SELECT count(*) FROM (
                SELECT 1 FROM calls WHERE pool = ? AND worker IS NULL AND (due, call) < (?, ?)
                LIMIT ?
            )
        """
        count: int = self._database.execute(sql, (*rows[0], int(call_id), most))[0][0]
        return count

    def in_hand(self, pool: str) -> list[str]:
        """Return the runs whose messages the pool's workers have claimed."""
        sql = "SELECT run FROM calls WHERE pool = ? AND worker IS NOT NULL"
        return [run for (run,) in self._database.execute(sql, (pool,))]

    def waiting(self, pool: str, most: int) -> int:
        """Count the pool's messages that could be claimed now, up to ``most``."""
        sql = """
            SELECT count(*) FROM (
                SELECT 1 FROM calls WHERE pool = ? AND worker IS NULL AND due <= ? LIMIT ?
            )
        """
        count: int = self._database.execute(sql, (pool, time.time(), most))[0][0]
        return count

    def workers(self, pool: str) -> int:
        """Count the pool's processes that run and can take a message, or are busy with one."""
        ready = self.bells.parent / "ready"
        if not ready.is_dir():
            return 0  # none was ever ready
        return sum(
            self.is_ready(each.name) for each in ready.iterdir() if self._pool_of(each) == pool
        )

    def lives(self, worker: str) -> bool:
        """Whether a worker process of that name runs."""
        return is_heard(self.bells, worker)

    def is_ready(self, worker: str) -> bool:
        """Whether that process runs and can take a message."""
        return self.lives(worker) and self._ready(worker).exists()

    # -- for worker processes --------------------------------------------------------------

    def claim(self, pool: str, worker: str) -> Delivery | None:
        """Take a pool's message that is due longest; of many workers exactly one gets it."""
        sql = """
            UPDATE calls SET worker = ? WHERE call = (
                SELECT call FROM calls WHERE pool = ? AND worker IS NULL AND due <= ?
                ORDER BY due, call LIMIT 1
            ) RETURNING call, message
        """
        rows = self._database.execute(sql, (worker, pool, time.time()))
        return Delivery(rows[0][0], json.loads(rows[0][1])) if rows else None

    def next_due(self, pool: str) -> float | None:
        """Return when the pool's next message is due, or None when there is none."""
        sql = "SELECT min(due) FROM calls WHERE pool = ? AND worker IS NULL"
        due: float | None = self._database.execute(sql, (pool,))[0][0]
        return due

    def mark_ready(self, worker: str, pool: str) -> None:
        """Say that this process can take the pool's messages."""
        self._ready(worker).parent.mkdir(exist_ok=True)
        self._ready(worker).write_text(pool, encoding="utf-8")

    def unmark_ready(self, worker: str) -> None:
        """Take that back, also in the place of a dead process."""
        self._ready(worker).unlink(missing_ok=True)

    def done(self, delivery: Delivery) -> None:
        """Say that a delivery is over."""
        self._database.change("DELETE FROM calls WHERE call = ?", (delivery.call,))

    def abandoned(self) -> list[tuple[str, str]]:
        """Return the run and worker of every message whose worker is dead."""
        rows = self._database.execute("SELECT run, worker FROM calls WHERE worker IS NOT NULL")
        return [(run, worker) for run, worker in rows if not is_heard(self.bells, worker)]

    def redeliver(self, worker: str) -> None:
        """Put a dead worker's messages back, in their old places."""
        self._database.change("UPDATE calls SET worker = NULL WHERE worker = ?", (worker,))
        self.unmark_ready(worker)
        ring_all(self.bells)

    def _ready(self, worker: str) -> Path:
        return self.bells.parent / "ready" / worker

    def _pool_of(self, ready: Path) -> str | None:
        try:
            return ready.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None  # it has stopped just now

    def _drop_dead(self, run_id: str) -> None:
        sql = "SELECT worker FROM calls WHERE run = ? AND worker IS NOT NULL"
        for (worker,) in self._database.execute(sql, (run_id,)):
            if not is_heard(self.bells, worker):
                gone = "DELETE FROM calls WHERE run = ? AND worker = ?"
                self._database.change(gone, (run_id, worker))
