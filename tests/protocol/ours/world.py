"""The model's world around our own code: real stores and records, the same choices and checks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.framework import signals
from tasks.framework.archives import Archive
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.archives.sqlite import SqliteArchive
from tasks.framework.execute import execute
from tasks.framework.protocol import Protocol, Timing
from tasks.framework.reading import listing, read
from tasks.framework.records import WORKER_LOST, Final
from tasks.framework.runtime import Runtime, configure
from tasks.framework.stores import Store
from tasks.framework.stores.memory import MemoryStore
from tasks.framework.stores.sqlite import SqliteStore
from tasks.framework.task import pool_of
from tasks.framework.tick import tick
from tests.protocol.model.actor import Actor
from tests.protocol.model.stage import Call
from tests.protocol.model.terms import GRACE, LOSSES, STALE, M, Record
from tests.protocol.model.world import World
from tests.protocol.ours.party import OurActor, operate
from tests.protocol.ours.surroundings import (
    SeenArchive,
    SeenBackend,
    SeenPacemaker,
    SeenSeat,
    SeenStore,
    seen_clock,
)

TIMING = Timing(stale=STALE, grace=GRACE, beat=0, report=0, losses=LOSSES)


@dataclass(frozen=True)
class Code:
    """The parts of our code, any of which a test can replace by one that lacks a rule."""

    protocol: type[Protocol] = Protocol
    ticking: Callable[[Protocol], Protocol] | None = None  # what the tick makes of it
    read: Callable[..., Any] = read
    listing: Callable[..., Any] = listing
    tick: Callable[..., Any] = tick

    def build(self) -> Protocol:
        store, archive, backend = SeenStore(), SeenArchive(), SeenBackend()
        return self.protocol(store, archive, backend, seen_clock, pool_of, TIMING)


@dataclass(frozen=True)
class Kept:
    """Where the records of one path are."""

    store: Store
    archive: Archive

    @classmethod
    def in_memory(cls) -> Kept:
        return cls(MemoryStore(), MemoryArchive())

    @classmethod
    def in_sqlite(cls, path: Path) -> Callable[[], Kept]:
        """Keep them in one file, opened once and emptied before each path."""
        kept = cls(SqliteStore(path), SqliteArchive(path))

        def emptied() -> Kept:
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                for (name,) in tables.fetchall():
                    connection.execute(f"DELETE FROM {name}")
            return kept

        return emptied


Act = Callable[[Code, Protocol], object]


class OurWorld(World):
    """A world in which real code does the steps: one at a time, as a process has one runtime."""

    def __init__(self, code: Code, kept: Kept, budget: Mapping[str, int]) -> None:
        super().__init__(M(), (), budget, limit=1)
        self.code, self.kept = code, kept
        self.protocol = code.build()
        configure(Runtime(self.protocol))
        for signal in signals.ENDINGS.values():
            signal.connect(_told, weak=False)

    def enter(self, name: str, act: Act) -> None:
        self.actors.append(OurActor(name, lambda: act(self.code, self.protocol)))

    def runs(self, a: Actor, until: str = "") -> None:
        """Let one actor go on by itself, until it is over or stands before such an operation."""
        while a.alive and a.op[0] != until:
            self.step(a)

    def close(self) -> None:
        super().close()
        for signal in signals.ENDINGS.values():
            signal.disconnect(_told)
        configure(None)

    def worker(self, name: str, job_id: str) -> Actor:
        message = {"id": job_id, "task": "t"}
        seat = SeenSeat(name, job_id)
        return OurActor(name, lambda: execute(message, seat, SeenPacemaker(seat)))

    def sweeper(self, name: str) -> Actor:
        return OurActor(name, lambda: sweep(self.code, self.protocol))

    def is_due(self, call: Call) -> bool:
        return super().is_due(call) and (self.quiet or not call.id.endswith(".link"))

    # -- the records are real; `store` mirrors them ------------------------------------------

    def do_get(self, a: Actor, key: str) -> Record | None:
        found = self.kept.store.get(key)
        return dict(found) if found else None

    def do_add(self, a: Actor, key: str, value: Record) -> bool:
        added = self.kept.store.add(key, value)
        if added:
            self.wrote(key, value)
        return added

    def do_put(self, a: Actor, key: str, value: Record) -> None:
        self.kept.store.put(key, value)
        self.wrote(key, value)

    def wrote(self, key: str, value: Record) -> None:
        job_id = key.partition(":")[2]
        if key.startswith("final:") and value["link"] is None:
            self.checks.linkless.add(job_id)
        self.checks.writes(key, plain(key, value), self.store)
        self.store[key] = value
        digest = value.get("digest") or ""
        if key.startswith("job:") and digest.startswith("link of "):
            before = digest.removeprefix("link of ")
            self.checks.linked(job_id, before, self.checks.final[before]["state"])

    def do_delete(self, a: Actor, key: str) -> None:
        self.kept.store.delete(key)
        super().do_delete(a, key)

    def do_delete_if(self, a: Actor, key: str, value: Record) -> None:
        self.kept.store.delete(key, if_value=value)
        super().do_delete_if(a, key, value)

    def do_items(self, a: Actor, prefix: str) -> list[tuple[str, Record]]:
        return [(key, dict(value)) for key, value in self.kept.store.scan(prefix)]

    def do_archive_put(self, a: Actor, record: Any) -> None:
        self.kept.archive.put(record)
        self.checks.archives(record.to_json())

    def do_archive_get(self, a: Actor, job_id: str) -> Any:
        return self.kept.archive.get(job_id)

    def do_archive_list(self, a: Actor, wanted: Any) -> Any:
        return self.kept.archive.list(**wanted)

    def do_signal(self, a: Actor, job_id: str, state: str) -> None:
        self.checks.signalled(
            job_id, self.checks.final[job_id]["state"] if state == "lost" else state
        )

    def quiesce(self) -> None:
        super().quiesce()
        real = {key: dict(value) for key, value in self.kept.store.scan("")}
        if real != self.store:
            self.checks.fail("the store keeps what it was given", f"{real} != {self.store}")


def sweep(code: Code, protocol: Protocol) -> None:
    """Tick once."""
    code.tick(code.ticking(protocol) if code.ticking else protocol)


def _told(final: Final, **_: object) -> None:
    operate("signal", final.id, plain("final:", final.to_json())["state"])


def plain(key: str, value: Record) -> Record:
    """Return a record as the checks know it: a run whose workers died is ``lost``."""
    if key.startswith("final:") and value.get("error") == WORKER_LOST:
        return {**value, "state": "lost"}
    return {**value, "state": str(value["state"])} if "state" in value else value
