"""The alternative to our task framework: huey on SQLite, with one no-op task."""

from __future__ import annotations

import os

from huey import SqliteHuey
from huey.exceptions import ResultTimeout

__all__ = ["ResultTimeout", "add", "huey"]

huey = SqliteHuey(filename=os.environ["HUEY_FILE"], fsync=True, journal_mode="wal")


def _add(x: int, y: int) -> int:
    return x + y


add = huey.task()(_add)
