"""What every process of a race has: tasks that leave notes, and one data directory."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tasks.framework import Protocol, Runtime, Timing, configure, current, signals, task
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.backends.local import LocalBackend
from tasks.framework.backends.process import WorkerProcess
from tasks.framework.records import Final
from tasks.framework.stores import Store
from tasks.framework.stores.sqlite import SqliteStore
from tasks.framework.task import pool_of

TIMING = Timing(stale=20.0, grace=20.0, beat=0.5, report=0.5)
"""So slow that whoever lives is never taken for dead, however busy the machine is."""

DATA: list[Path] = []


def note(*words: object) -> None:
    """Append a line; several processes' lines do not mix, and none is lost with its process."""
    line = " ".join(map(str, words)) + "\n"
    file = os.open(DATA[0] / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def notes(word: str) -> list[list[str]]:
    """Return the rest of every line that begins with the word."""
    path = DATA[0] / "notes"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [words for first, *words in lines if first == word]


@task(name="race.body")
def body(seconds: float) -> int:
    """Hold a lock of this run's own: whoever finds it held runs beside another attempt."""
    note("start", current.id, current.attempt)
    locks = DATA[0] / "locks"
    locks.mkdir(exist_ok=True)
    with (locks / str(current.id)).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("beside", current.id, current.attempt)
        time.sleep(seconds)
        note("end", current.id, current.attempt)
    return current.attempt


@task(name="race.part")
def part(number: int) -> int:
    """One member of a group."""
    note("part", current.id)
    return number


@task(name="race.joined")
def joined(group_id: str) -> None:
    """Linked to a group."""
    note("joined", group_id)


MODAL = "modal.json"
"""The environment that leads to a Modal server, in the directory of a race on its Dicts."""


def store_of(data: Path) -> Store:
    """Return where the records are: on Modal if a file there says so."""
    if not (data / MODAL).exists():
        return SqliteStore(data / "tasks.db")
    os.environ.update(json.loads((data / MODAL).read_text()))  # before modal is first imported
    from tasks.framework.stores.modal_dict import ModalDictStore  # noqa: PLC0415

    return ModalDictStore(data.name.replace("_", "-"))


def enter(data: Path, store: Store | None = None) -> LocalBackend:
    """Configure this process; from here on it notes every ending that it brings about."""
    DATA[:] = [data]
    path = data / "tasks.db"
    backend = LocalBackend(path, data / "bells")
    chosen = store or store_of(data)
    protocol = Protocol(chosen, SqliteArchive(path), backend, time.time, pool_of, TIMING)
    configure(Runtime(protocol))
    for ending in signals.ENDINGS.values():
        ending.connect(_note_ending)
    return backend


def leave() -> None:
    """Take the configuration back."""
    for ending in signals.ENDINGS.values():
        ending.disconnect(_note_ending)
    configure(None)


def _note_ending(final: Final, **_: Any) -> None:
    note("ended", final.id, final.state.value)


def command(data: Path, name: str) -> list[str]:
    """Return the command line of a worker process."""
    return [sys.executable, "-m", "tests.races.arena", str(data), name]


def endings(run_ids: Iterable[str]) -> dict[str, list[str]]:
    """Return the states that were signalled, by run."""
    found: dict[str, list[str]] = {run_id: [] for run_id in run_ids}
    for run_id, state in notes("ended"):
        if run_id in found:
            found[run_id].append(state)
    return found


def main(data: str, name: str) -> None:
    """Be a worker process until told to stop."""
    WorkerProcess(enter(Path(data)), pool="cpu", name=name, supervised=True).run(None)


if __name__ == "__main__":
    sys.modules["tests.races.arena"] = sys.modules["__main__"]
    main(*sys.argv[1:])
