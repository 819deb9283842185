"""Where actors meet: whose turn it is, what can go wrong, and how a path ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.protocol.model.actor import Actor, show
from tests.protocol.model.rules import execute
from tests.protocol.model.stage import Call, Stage
from tests.protocol.model.terms import JUMP, M, Steps
from tests.protocol.model.tick import tick

Choice = tuple[str, Any]
Make = Callable[[M], Steps]

UNSEEN = ("ack", "signal", "refused", "seen", "listed", "revoked")
"""Operations that nobody else can see: no need to interleave them."""

READINGS = ("now", "breath")
"""Reading the clock, which matters only if it can jump. ``breath`` is a body's sign of life."""

ROUNDS = 8


class World(Stage):
    """Everything around the actors.

    ``budget`` bounds what may go wrong on one path: ``crash``, ``jump``, ``lose`` and ``deliver``
    (per message), and how often bodies may ``retry``, ``hand`` themselves back, ``leave`` without
    sending themselves again, or ``fail``.
    """

    def __init__(
        self, m: M, actors: Sequence[tuple[str, Make]], budget: Mapping[str, int], limit: int
    ) -> None:
        holds, terminates = bool(budget.get("holds", 1)), bool(budget.get("terminates"))
        super().__init__(limit, holds=holds, terminates=terminates)
        self.m, self.budget = m, dict(budget)
        self.log: list[str] = []
        self.quiet, self.crashed = False, False
        self.actors = [Actor(name, make(m)) for name, make in actors]

    def worker(self, name: str, job_id: str) -> Actor:
        """Return somebody who carries out a delivery."""
        return Actor(name, execute(self.m, job_id))

    def sweeper(self, name: str) -> Actor:
        """Return somebody who ticks once."""
        return Actor(name, tick(self.m))

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
        asked = [name for name in ("retry", "hand", "leave", "fail") if self.budget.get(name)]
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
        a = self.worker(name, call.id)
        call.workers.append(a)
        self.actors.append(a)

    def note(self, text: str) -> None:
        self.log.append(f"t={self.clock:<3} {text}")

    def step(self, a: Actor) -> None:
        op = a.op
        if a.knew is None and op[0] not in READINGS:
            a.knew, a.own = sorted(self.checks.acks), self.taken()
        value = getattr(self, "do_" + op[0])(a, *op[1:])
        if op[0] not in ("now", "breath", "acked", "ended"):
            shown = "" if value is None and op[0] != "get" else f" -> {value}"
            self.note(f"{a.name:<9} {show(op)}{shown}")
        a.advance(value)
        if op[0] in ("add", "put", "delete", "delete_if", "pop"):
            self.checks.counts(self.store)

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
            self.actors.append(self.sweeper(f"tick.q{number}"))
            if number % 2:
                self.deliver_waiting()
            while todo := [a for a in self.actors if self.ready(a)]:
                self.step(todo[-1])
            if number == 0:
                self.checks.cancelled_by_now()
        self.checks.settled(self.store)

    def close(self) -> None:
        """Leave nobody standing."""
        for a in self.actors:
            if a.alive:
                a.gen.close()

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
