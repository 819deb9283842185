"""Where actors meet: the store, the archive, the backend, the clock, and what can go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.protocol.model.actor import Actor, show
from tests.protocol.model.checks import Checks
from tests.protocol.model.rules import execute
from tests.protocol.model.terms import JUMP, STALE, START, M, Record, Steps
from tests.protocol.model.tick import tick

Choice = tuple[str, Any]
Make = Callable[[M], Steps]

UNSEEN = ("ack", "signal", "refused", "seen", "listed", "revoked")
"""Operations that nobody else can see: no need to interleave them."""

READINGS = ("now", "breath")
"""Reading the clock, which matters only if it can jump. ``breath`` is a body's sign of life."""

ROUNDS = 8


@dataclass
class Call:
    """A message on its way."""

    id: str
    due: float = 0
    sent: int = 0
    lost: bool = False
    workers: list[Actor] = field(default_factory=list)


class World:
    """Everything around the actors.

    ``budget`` bounds what may go wrong on one path: ``crash``, ``jump``, ``lose`` and ``deliver``
    (per message), and how often bodies may ``retry`` or ``hand`` themselves back. Without
    ``holds`` the backend cannot keep a message until it is due.
    """

    def __init__(
        self, m: M, actors: Sequence[tuple[str, Make]], budget: Mapping[str, int], limit: int
    ) -> None:
        self.m, self.budget, self.holds = m, dict(budget), budget.get("holds", 1)
        self.checks = Checks(limit, STALE)
        self.store: dict[str, Record] = {}
        self.calls: list[Call] = []
        self.log: list[str] = []
        self.quiet, self.crashed = False, False
        self.clock = START
        self.actors = [Actor(name, make(m)) for name, make in actors]

    @property
    def clock(self) -> int:
        return int(self.checks.clock)

    @clock.setter
    def clock(self, now: int) -> None:
        self.checks.clock = now

    # -- choices: every step, crash, jump, delivery, loss ------------------------------------

    def ready(self, a: Actor) -> bool:
        if not a.alive:
            return False
        if a.op[0] == "wait":
            return self.clock > a.op[2] or f"final:{a.op[1]}" in self.store
        return True

    def choices(self) -> list[Choice]:
        steps = [("step", i) for i, a in enumerate(self.actors) if self.ready(a)]
        for step in steps:
            kind = self.actors[step[1]].op[0]
            if kind in UNSEEN or (kind in READINGS and not self.budget.get("jump")):
                return [step]
        out: list[Choice] = [*steps, *self.outcomes()]
        if self.budget.get("crash"):
            out += [("crash", i) for _, i in steps]
        if self.budget.get("jump"):
            out.append(("jump", False))
            if any(a.alive and a.op[0] == "breath" for a in self.actors):
                out.append(("jump", True))
        for c, call in enumerate(self.calls):
            if call.sent < self.budget.get("deliver", 1) and not call.lost and self.is_due(call):
                out.append(("deliver", c))
            if self.budget.get("lose") and not call.lost:
                out.append(("lose", c))
        return out if steps else [*out, ("end", 0)]

    def outcomes(self) -> list[Choice]:
        ending = [i for i, a in enumerate(self.actors) if a.alive and a.op[0] == "body"]
        asked = [name for name in ("retry", "hand") if self.budget.get(name)]
        return [(name, i) for name in asked for i in ending]

    def is_due(self, call: Call) -> bool:
        return call.sent > 0 or call.due <= self.clock

    def apply(self, choice: Choice) -> None:
        kind, i = choice
        if kind in self.budget:
            self.budget[kind] -= kind != "deliver"
        if kind == "step":
            self.step(self.actors[i])
        elif kind == "deliver":
            self.deliver(i)
        elif kind == "jump":
            self.jump(beating=i)
        elif kind == "crash":
            self.crash(self.actors[i])
        elif kind == "lose":
            self.calls[i].lost = True
            self.note(f"call {i} is LOST")
        elif kind == "end":
            self.quiesce()
        else:  # how a body ends
            self.note(f"{self.actors[i].name:<9} body: {kind}")
            self.actors[i].advance("handed" if kind == "hand" else kind)

    def crash(self, a: Actor) -> None:
        self.note(f"{a.name} CRASHES before {show(a.op)}")
        a.alive, self.crashed = False, True
        a.gen.close()

    def jump(self, *, beating: bool) -> None:
        self.clock += JUMP
        self.note("TIME JUMPS past every grace" + (" (running bodies beat)" if beating else ""))
        if beating:
            for a in [each for each in self.actors if each.alive and each.op[0] == "breath"]:
                self.step(a)
                self.step(a)
        self.checks.passes()

    def deliver(self, c: int) -> None:
        call = self.calls[c]
        call.sent += 1
        name = f"worker{c}.{call.sent}"
        self.note(f"call {c} delivered to {name}")
        a = Actor(name, execute(self.m, call.id))
        call.workers.append(a)
        self.actors.append(a)

    def note(self, text: str) -> None:
        self.log.append(f"t={self.clock:<3} {text}")

    def taken(self) -> list[str]:
        return sorted(k + v["id"] for k, v in self.store.items() if k.startswith("slot:"))

    def step(self, a: Actor) -> None:
        op = a.op
        if a.knew is None:
            a.knew, a.own = sorted(self.checks.acks), self.taken()
        value = getattr(self, "do_" + op[0])(a, *op[1:])
        if op[0] not in ("now", "breath", "acked"):
            shown = "" if value is None and op[0] != "get" else f" -> {value}"
            self.note(f"{a.name:<9} {show(op)}{shown}")
        a.advance(value)
        if op[0] in ("add", "put", "delete", "delete_if", "pop"):
            self.checks.counts(self.store)

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

    # -- the end of a path -------------------------------------------------------------------

    def quiesce(self) -> None:
        self.quiet = self.checks.quiet = True
        self.budget = {}
        self.note("--- quiet: time passes, ticks run, messages arrive")
        if not any(a.alive for a in self.actors):
            stops = [key.split(":")[1] for key in self.store if key.startswith("stop:")]
            self.checks.asked_long_ago.update(stops)
            if not self.crashed:
                self.checks.cancelled_at_once(self.store)
        for number in range(ROUNDS):
            self.clock += JUMP
            self.checks.passes()
            self.actors.append(Actor(f"tick.q{number}", tick(self.m)))
            if number % 2:
                self.deliver_waiting()
            while todo := [a for a in self.actors if self.ready(a)]:
                self.step(todo[-1])
            if number == 0:
                self.checks.cancelled_by_now()
        self.checks.settled(self.store)

    def deliver_waiting(self) -> None:
        for c, call in enumerate(self.calls):
            if not call.sent and not call.lost and self.is_due(call):
                self.deliver(c)

    def fingerprint(self) -> int:
        calls = [(c.id, c.due, c.sent, c.lost, [w.alive for w in c.workers]) for c in self.calls]
        actors = sorted(a.state() for a in self.actors if a.alive)
        budget = sorted(self.budget.items())
        archived = sorted(self.checks.archive)
        known = [sorted(self.store.items()), archived, self.clock, calls, budget, actors]
        return hash((repr(known), self.crashed, self.checks.state()))
