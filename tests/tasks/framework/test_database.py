"""Several processes that start on one new file at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

from comfy_runner.bucket.records import LocalRecords
from tasks.framework.database import Database

PROCESSES = 4
FILES = 40
SECONDS = 60

Deed = Callable[[Path, int, Barrier], None]


def open_new_ones(directory: Path, number: int, barrier: Barrier) -> None:
    for n in range(FILES):
        barrier.wait(SECONDS)
        database = Database(directory / f"{n}.sqlite", "CREATE TABLE IF NOT EXISTS seen (who)")
        database.execute("INSERT INTO seen VALUES (?)", (number,))


def put_into_new_ones(directory: Path, number: int, barrier: Barrier) -> None:
    for n in range(FILES):
        barrier.wait(SECONDS)
        LocalRecords(directory / f"{n}.sqlite").put(f"by/{number}", b"x")


def exit_codes(what: Deed, directory: Path) -> list[int | None]:
    """Have all processes do it, each step of it at the same moment; return how they ended."""
    context = get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    processes = [
        context.Process(target=what, args=(directory, number, barrier), daemon=True)
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(SECONDS)
    return [process.exitcode for process in processes]


def test_processes_that_open_a_new_database_at_a_time_can_all_write(tmp_path: Path) -> None:
    assert exit_codes(open_new_ones, tmp_path) == [0] * PROCESSES

    for n in range(FILES):
        rows = Database(tmp_path / f"{n}.sqlite", "").execute("SELECT who FROM seen ORDER BY who")
        assert rows == [(number,) for number in range(PROCESSES)]


def test_processes_that_start_new_records_at_a_time_can_all_write(tmp_path: Path) -> None:
    assert exit_codes(put_into_new_ones, tmp_path) == [0] * PROCESSES

    for n in range(FILES):
        keys = LocalRecords(tmp_path / f"{n}.sqlite").list("by/", limit=PROCESSES + 1)
        assert keys == [f"by/{number}" for number in range(PROCESSES)]
