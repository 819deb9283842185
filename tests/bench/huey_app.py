"""huey on SQLite, with one no-op task."""

from __future__ import annotations

import os

from huey import SqliteHuey

__all__ = ["add", "huey"]

huey = SqliteHuey(
    filename=os.environ["HUEY_FILE"],
    fsync=os.environ["HUEY_FSYNC"] == "1",
    journal_mode="wal",
)


def _add(x: int, y: int) -> int:
    return x + y


add = huey.task()(_add)
