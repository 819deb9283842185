"""Who does what at the same time, and what may go wrong meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from tests.protocol.model.reading import listing, listing_ended, poll
from tests.protocol.model.rules import end, revoke, settle_final, submit
from tests.protocol.model.stage import Call
from tests.protocol.model.terms import DELAY, JUMP, START, M, Record
from tests.protocol.model.tick import tick
from tests.protocol.model.world import Make, World

LIMIT = 1


def sends(key: str) -> Make:
    return lambda m: submit(m, key, "o", LIMIT)


SUBMIT, RETRY = ("submit", sends("J")), ("retry", sends("J"))
K, L = ("submitK", sends("K")), ("submitL", sends("L"))
REVOKE: tuple[str, Make] = ("revoke", lambda m: revoke(m, "J"))
TICK: tuple[str, Make] = ("tick", tick)
TICK2, TICK3 = ("tick2", tick), ("tick3", tick)
LIST: tuple[str, Make] = ("list", lambda m: listing(m, "o"))
ENDED: tuple[str, Make] = ("list ended", lambda m: listing_ended(m, "o"))
POLL: tuple[str, Make] = ("poll", lambda m: poll(m, "J"))
ZOMBIE: tuple[str, Make] = ("zombie", lambda m: end(m, "J", "ok", 1))
FINISH1: tuple[str, Make] = ("finish1", lambda m: settle_final(m, "J"))
FINISH2: tuple[str, Make] = ("finish2", lambda m: settle_final(m, "J"))


@dataclass(frozen=True)
class Scenario:
    """Actors, what may go wrong, and what has happened before, if anything."""

    actors: tuple[tuple[str, Make], ...]
    budget: Mapping[str, int]
    before: Callable[[World], None] | None = None


def committed(w: World) -> None:
    """J is committed and was delivered."""
    job = {"id": "J", "owner": "o", "created": START, "deadline": START + 19, "slot": "slot:o:0"}
    w.store["slot:o:0"] = {"id": "J", "at": START}
    w.store["live:J"] = {"id": "J", "owner": "o", "created": START}
    w.store["job:J"] = job


def ended(w: World) -> None:
    """J has ended, and nobody has cleared it away."""
    committed(w)
    record = {"id": "J", "owner": "o", "slot": "slot:o:0", "created": START}
    w.store["final:J"] = w.checks.final["J"] = {**record, "state": "ok", "attempt": 1}


def sent(w: World) -> None:
    committed(w)
    w.store["call:J"] = {"call": 0}
    w.calls.append(Call("J", START, sent=1))


def attempts(w: World, *runs: Record) -> None:
    """J was started this many times; every worker but the last one's has died since."""
    sent(w)
    for n, run in enumerate(runs, 1):
        w.checks.reports(f"run:J:{n}", run, w.store)
        w.store[f"run:J:{n}"] = run
    w.clock = START + JUMP
    w.checks.passes()


def dead(w: World) -> None:
    """The worker of attempt 1 is dead."""
    attempts(w, {"beat": START, "losses": 0})


def dead_twice(w: World) -> None:
    """The workers of both attempts are dead."""
    attempts(w, {"beat": START, "losses": 0}, {"beat": START, "losses": 1})


def parked(w: World) -> None:
    """Attempt 1 has asked for another, which is not due yet."""
    due = START + JUMP + DELAY
    attempts(w, {"beat": 0, "losses": 0, "ended": "retry", "due": due})
    w.store["call:J"] = {"call": 1}
    w.calls.append(Call("J", due))


def overtaken(w: World) -> None:
    """Attempt 1 was taken for dead and is about to end well; two more have come and gone."""
    retried = {"beat": 0, "losses": 1, "ended": "retry", "due": START}
    attempts(w, {"beat": START, "losses": 0}, retried, retried)


SCENARIOS: dict[str, Scenario] = {
    # The first ones are small enough to be explored completely.
    "submit, crash": Scenario((SUBMIT,), {"crash": 1}),
    "submit, lost": Scenario((SUBMIT,), {"lose": 1, "jump": 1}),
    "deliver twice": Scenario((SUBMIT,), {"deliver": 2}),
    "retry": Scenario((SUBMIT, RETRY), {"deliver": 0}),
    "retry, crash": Scenario((SUBMIT, RETRY), {"crash": 1, "deliver": 0}),
    "two jobs": Scenario((SUBMIT, K), {"deliver": 0}),
    "revoke": Scenario((SUBMIT, REVOKE), {"deliver": 1}),
    "list": Scenario((SUBMIT, LIST), {"deliver": 1}),
    "list ended": Scenario((SUBMIT, ENDED), {"deliver": 1}),
    "list ended, revoke": Scenario((REVOKE, ENDED), {"deliver": 1}, sent),
    "list ended, expire": Scenario((SUBMIT, TICK, ENDED), {"jump": 2, "deliver": 1}),
    "poll": Scenario((SUBMIT, POLL), {"deliver": 1}),
    "submit+tick": Scenario((SUBMIT, TICK), {"jump": 1, "deliver": 0}),
    "one job": Scenario((SUBMIT,), {"crash": 1, "jump": 1, "deliver": 2, "lose": 1}),
    "expire": Scenario((SUBMIT, TICK), {"jump": 2, "deliver": 2}),
    "revoke, crash": Scenario((SUBMIT, REVOKE, TICK), {"crash": 1, "jump": 1, "deliver": 2}),
    "retry+tick": Scenario((SUBMIT, TICK, RETRY), {"crash": 1, "jump": 1, "deliver": 1}),
    "three jobs": Scenario((SUBMIT, K, L, TICK), {"crash": 1, "jump": 2, "deliver": 1}),
    "retry late": Scenario((SUBMIT, K, RETRY), {"deliver": 1}),
    "retry, crash, list": Scenario((SUBMIT, RETRY, LIST), {"crash": 1, "deliver": 0}),
    "slow submit": Scenario((SUBMIT, K, TICK), {"jump": 1, "deliver": 0}),
    "late finisher": Scenario((FINISH1, FINISH2, K, L), {"deliver": 0}, ended),
    "revoke, worker dead": Scenario((REVOKE, TICK), {"deliver": 2}, dead),
    "revoke, terminated": Scenario((REVOKE, TICK), {"terminates": 1, "deliver": 2}, dead),
    "revoke, last worker dead": Scenario((REVOKE, TICK), {"deliver": 2}, dead_twice),
    "try again": Scenario((SUBMIT,), {"retry": 1, "deliver": 2, "jump": 2}),
    "try again, crash": Scenario((SUBMIT, TICK), {"retry": 2, "crash": 1, "jump": 3}),
    "try again, not held": Scenario((SUBMIT,), {"retry": 1, "jump": 1, "holds": 0, "crash": 1}),
    "try again, revoke": Scenario((REVOKE,), {"retry": 1, "deliver": 2, "jump": 1}, sent),
    "try again, revoke, crash": Scenario((REVOKE,), {"retry": 1, "deliver": 2, "crash": 1}, sent),
    "parked, revoke": Scenario((REVOKE, TICK), {"deliver": 2, "jump": 2}, parked),
    "hand back": Scenario((SUBMIT, TICK), {"hand": 2, "deliver": 2, "crash": 1, "jump": 1}),
    "hand back, revoke": Scenario((REVOKE,), {"hand": 1, "deliver": 2}, sent),
    "leave": Scenario((SUBMIT, TICK), {"leave": 2, "deliver": 2, "crash": 1, "jump": 1}),
    "leave, revoke": Scenario((REVOKE,), {"leave": 1, "deliver": 2}, sent),
    "overtaken": Scenario((ZOMBIE, TICK), {"deliver": 2, "retry": 1, "hand": 1}, overtaken),
    "all": Scenario(
        (SUBMIT, RETRY, K, L, REVOKE, TICK, TICK2, LIST, POLL),
        {"crash": 2, "jump": 3, "deliver": 2, "lose": 1, "retry": 2, "hand": 1},
    ),
    "all, later": Scenario(
        (SUBMIT, TICK, K, TICK2, RETRY, TICK3, REVOKE, LIST),
        {"crash": 2, "jump": 4, "deliver": 3, "lose": 2, "retry": 2, "hand": 2},
    ),
}


def make(name: str, flavour: str = "sqlite", drop: Collection[str] = ()) -> Callable[[], World]:
    """Return what makes the world in which a scenario begins."""
    scenario = SCENARIOS[name]

    def world() -> World:
        w = World(M(flavour, drop), scenario.actors, scenario.budget, LIMIT)
        if scenario.before:
            scenario.before(w)
        return w

    return world
