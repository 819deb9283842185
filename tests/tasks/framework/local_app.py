"""A worker process with tasks to test the local backend with: ``python -m … DATA POOL NAME``."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from tasks.framework import Protocol, Retry, Runtime, Timing, Worker, configure, current, task
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.backends.local import LocalBackend
from tasks.framework.backends.process import WorkerProcess
from tasks.framework.stores.sqlite import SqliteStore
from tasks.framework.task import pool_of

TIMING = Timing(stale=3.0, grace=3.0, beat=0.2, report=0.02, kill_after=2.0)


class Holder(Worker):
    """Notes in a file what is done with it."""

    pool = "holder"

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, word: str) -> None:
        with self.path.open("a") as notes:
            notes.write(f"{word} {os.getpid()}\n")

    def boot(self) -> None:
        self.note("boot")

    def wake(self) -> None:
        self.note("wake")

    def close(self) -> None:
        self.note("close")


@task(name="add")
def add(x: int, y: int) -> int:
    return x + y


@task(name="divide")
def divide(x: int, y: int) -> float:
    return x / y


@task(name="describe")
def describe(value: object) -> object:
    return value


@task(name="follow")
def follow(run_id: str, words: str) -> str:
    return f"{run_id}: {words}"


@task(name="pid")
def pid() -> int:
    return os.getpid()


@task(name="hold", worker=Holder)
def hold(holder: Holder, path: str) -> int:
    """Run until a file appears; the first thing it does is to say that it runs."""
    holder.note(f"attempt-{current.attempt}")
    current.log("holding")
    current.progress(pid=os.getpid())
    try:
        while not Path(path).exists():
            time.sleep(3600)  # only a signal ends this
    except BaseException:
        holder.note("interrupted")
        time.sleep(0.5)
        holder.note("cleaned-up")
        raise
    return current.attempt


@task(name="suicide", worker=Holder)
def suicide(holder: Holder, times: int) -> int:
    """Die without a word in the first so many attempts."""
    holder.note(f"attempt-{current.attempt}")
    if current.attempt <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return current.attempt


@task(name="stubborn", worker=Holder)
def stubborn(holder: Holder) -> None:
    """Do not stop, whatever is raised."""
    while True:
        try:
            time.sleep(3600)
        except BaseException:  # noqa: BLE001 - that is what makes it stubborn
            holder.note("ignored")


@task(name="flaky", retry=Retry(limit=5, delay=0.3, backoff=1, jitter=0))
def flaky(until: int) -> int:
    if current.attempt < until:
        raise OSError("not yet")
    return current.attempt


def open_backend(data: Path) -> LocalBackend:
    """Configure this process for the data directory."""
    path = data / "tasks.db"
    backend = LocalBackend(path, data / "bells")
    protocol = Protocol(
        SqliteStore(path), SqliteArchive(path), backend, time.time, pool_of, TIMING
    )
    configure(Runtime(protocol, {Holder: lambda: Holder(data / "notes")}))
    return backend


def main(data: str, pool: str, name: str) -> None:
    """Serve one pool until told to stop."""
    process = WorkerProcess(open_backend(Path(data)), pool=pool, name=name, supervised=True)
    process.run(Holder if pool == Holder.pool else None)


if __name__ == "__main__":
    sys.modules["tests.tasks.framework.local_app"] = sys.modules["__main__"]
    main(*sys.argv[1:])
