"""What actors operate on: the store, the archive, the backend, the clock; and the checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.protocol.model.actor import Actor
from tests.protocol.model.checks import Checks
from tests.protocol.model.terms import STALE, START, Record


@dataclass
class Call:
    """A message on its way."""

    id: str
    due: float = 0
    sent: int = 0
    lost: bool = False
    workers: list[Actor] = field(default_factory=list)


class Stage:
    """One method for every operation that an actor can stand before.

    Without ``holds`` the backend cannot keep a message until it is due; without ``terminates``
    it cannot end a call whose worker does not answer, or comes too late.
    """

    def __init__(self, limit: int, *, holds: bool, terminates: bool) -> None:
        self.checks = Checks(limit, STALE)
        self.holds, self.terminates = holds, terminates
        self.store: dict[str, Record] = {}
        self.calls: list[Call] = []
        self.actors: list[Actor] = []
        self.clock = START

    @property
    def clock(self) -> int:
        return int(self.checks.clock)

    @clock.setter
    def clock(self, now: int) -> None:
        self.checks.clock = now

    def taken(self) -> list[str]:
        return sorted(k + v["id"] for k, v in self.store.items() if k.startswith("slot:"))

    # -- the store ---------------------------------------------------------------------------

    def do_get(self, a: Actor, key: str) -> Record | None:
        return self.store.get(key)

    def do_add(self, a: Actor, key: str, value: Record) -> bool:
        if key in self.store:
            return False
        self.do_put(a, key, value)
        return True

    def do_put(self, a: Actor, key: str, value: Record) -> None:
        self.checks.writes(key, value, self.store)
        self.store[key] = value

    def do_delete(self, a: Actor, key: str) -> None:
        self.store.pop(key, None)

    def do_delete_if(self, a: Actor, key: str, value: Record) -> None:
        if self.store.get(key) == value:
            del self.store[key]

    def do_pop(self, a: Actor, key: str) -> Record | None:
        return self.store.pop(key, None)

    def do_keys(self, a: Actor, prefix: str) -> list[str]:
        return sorted(key for key in self.store if key.startswith(prefix))

    def do_items(self, a: Actor, prefix: str) -> list[tuple[str, Record]]:
        return [(key, self.store[key]) for key in self.do_keys(a, prefix)]

    # -- the archive, the backend, the clock -------------------------------------------------

    def do_archive_put(self, a: Actor, record: Record) -> None:
        self.checks.archives(record)

    def do_archive_get(self, a: Actor, job_id: str) -> Record | None:
        return self.checks.archive.get(job_id)

    def do_archive_list(self, a: Actor, owner: str) -> list[str]:
        return sorted(r["id"] for r in self.checks.archive.values() if r["owner"] == owner)

    def do_spawn(self, a: Actor, job_id: str, due: float) -> int | None:
        if due > self.clock and not self.holds:
            return None
        self.calls.append(Call(job_id, due))
        return len(self.calls) - 1

    def do_cancel(self, a: Actor, c: int) -> None:
        """Nothing: it is asynchronous, and the message may well arrive all the same."""

    def do_terminate(self, a: Actor, c: int) -> None:
        """Let whoever carries it out die where it stands, also if it only seemed to be dead."""
        if not self.terminates:
            return
        self.calls[c].lost = True
        for worker in self.calls[c].workers:
            if worker.alive:
                worker.alive = False
                worker.gen.close()

    def do_alive(self, a: Actor, c: int) -> bool:
        call = self.calls[c]
        return not call.lost and (call.sent == 0 or any(w.alive for w in call.workers))

    def do_now(self, a: Actor) -> int:
        return self.clock

    do_breath = do_now

    def do_wait(self, a: Actor, *_: Any) -> None:
        """Nothing: the one who waits is ready again when there is something to see."""

    def do_body(self, a: Actor, job_id: str, n: int) -> str:
        return "ok"

    # -- what the checks watch ---------------------------------------------------------------

    def do_ack(self, a: Actor, key: str, job_id: str) -> None:
        self.checks.acknowledged(key, job_id, self.store)

    def do_acked(self, a: Actor) -> list[str]:
        return sorted(set(self.checks.acks.values()))

    def do_ended(self, a: Actor) -> list[str]:
        return sorted(self.checks.final)

    def do_refused(self, a: Actor, key: str) -> None:
        void = self.store.get("job:" + key, {}).get("void")
        self.checks.refused(key, a.knew or [], [] if void else a.own, self.taken())

    def do_revoked(self, a: Actor, job_id: str) -> None:
        others = [x for x in self.actors if x is not a and x.alive]
        if f"stop:{job_id}" in self.store and all(x.knew is None for x in others):
            # nobody who goes on can have read the store before the stop
            self.checks.asked_long_ago.add(job_id)
        self.checks.revocation(job_id)

    def do_start(self, a: Actor, job_id: str, n: int) -> None:
        self.checks.started(job_id, n)

    def do_signal(self, a: Actor, job_id: str, state: str) -> None:
        self.checks.signalled(job_id, state)

    def do_link(self, a: Actor, link_id: str, job_id: str, state: str) -> None:
        random = f"random{sum(map(len, self.checks.links.values()))}"
        self.checks.linked(random if link_id == "random" else link_id, job_id, state)

    def do_seen(self, a: Actor, job_id: str, state: str) -> None:
        self.checks.saw(a.name, job_id, state)

    def do_listed(self, a: Actor, before: list[str], ids: list[str]) -> None:
        self.checks.listed(before, ids)
