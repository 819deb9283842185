"""Who does what at the same time, and what may go wrong meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.protocol.ours import before
from tests.protocol.ours.parties import finishes, lists, lists_ended, polls, revokes, sends
from tests.protocol.ours.world import Act, Code, Kept, OurWorld, sweep

SUBMIT, RETRY = ("submit", sends("J")), ("retry", sends("J"))
K, L = ("submitK", sends("K")), ("submitL", sends("L"))
REVOKE: tuple[str, Act] = ("revoke", revokes("J"))
TICK: tuple[str, Act] = ("tick", sweep)
TICK2: tuple[str, Act] = ("tick2", sweep)
FINISH: tuple[str, Act] = ("finish", finishes)
LIST: tuple[str, Act] = ("list", lists)
ENDED: tuple[str, Act] = ("list ended", lists_ended)
POLL: tuple[str, Act] = ("poll", polls("J"))


@dataclass(frozen=True)
class Scenario:
    """Actors, what may go wrong, and what has happened before, if anything."""

    actors: tuple[tuple[str, Act], ...]
    budget: Mapping[str, int]
    before: Callable[[OurWorld], None] = before.nothing


SCENARIOS = {
    "submit, crash": Scenario((SUBMIT,), {"crash": 1}),
    "submit, lost": Scenario((SUBMIT,), {"lose": 1, "jump": 1}),
    "deliver twice": Scenario((SUBMIT,), {"deliver": 2}),
    "retry, crash": Scenario((SUBMIT, RETRY), {"crash": 1, "deliver": 0}),
    "retry late": Scenario((K, RETRY), {"deliver": 1}, before.done),
    "three jobs": Scenario((SUBMIT, K, L, TICK), {"crash": 1, "jump": 2, "deliver": 2}),
    "revoke": Scenario((SUBMIT, REVOKE), {"deliver": 2}),
    "revoke, crash": Scenario((SUBMIT, REVOKE, TICK), {"crash": 1, "jump": 2, "deliver": 2}),
    "list": Scenario((LIST,), {"deliver": 1}, before.committed),
    "retry, crash, list": Scenario((SUBMIT, RETRY, LIST), {"crash": 1, "deliver": 0}),
    "submit, list": Scenario((SUBMIT, LIST), {"deliver": 1}),
    "list ended": Scenario((ENDED,), {"deliver": 1}, before.under_way),
    "list ended, revoke": Scenario((REVOKE, ENDED), {"deliver": 1}, before.committed),
    "list ended, expire": Scenario((TICK, ENDED), {"jump": 1}, before.nearly_late),
    "poll": Scenario((POLL,), {"deliver": 1}, before.committed),
    "poll, end": Scenario((POLL,), {"deliver": 1}, before.under_way),
    "one job": Scenario((SUBMIT,), {"crash": 1, "jump": 1, "deliver": 2, "lose": 1, "fail": 1}),
    "expire": Scenario((TICK,), {"jump": 1, "deliver": 2}, before.nearly_late),
    "expire, claim late": Scenario((TICK,), {"deliver": 1}, before.claiming_late),
    "slow submit": Scenario((SUBMIT, K, TICK), {"jump": 1, "deliver": 0}),
    "ended": Scenario((TICK,), {"crash": 1}, before.ended),
    "late finisher": Scenario((FINISH, K, L), {"deliver": 0}, before.freeing),
    "late finishers": Scenario((TICK, TICK2, K, L), {"deliver": 0}, before.ended),
    "revoke, worker dead": Scenario((REVOKE,), {"deliver": 2}, before.dead),
    "revoked, worker dead": Scenario((), {"deliver": 2}, before.dead_and_revoked),
    "revoked, terminated": Scenario(
        (TICK,), {"deliver": 2, "terminates": 1, "jump": 1}, before.dead_and_revoked
    ),
    "try again": Scenario((TICK,), {"retry": 2, "deliver": 2, "jump": 3}, before.committed),
    "try again, crash": Scenario(
        (SUBMIT, TICK), {"retry": 2, "deliver": 2, "jump": 3, "crash": 1}
    ),
    "try again, not held": Scenario((SUBMIT,), {"retry": 1, "jump": 1, "holds": 0, "crash": 1}),
    "try again, revoke": Scenario((REVOKE,), {"retry": 1}, before.under_way),
    "hand back": Scenario((TICK,), {"hand": 2, "deliver": 2, "jump": 1}, before.committed),
    "hand back, crash": Scenario((SUBMIT, TICK), {"hand": 2, "crash": 2, "jump": 2}),
    "hand back, revoke": Scenario((REVOKE,), {"hand": 1}, before.under_way),
    "leave": Scenario((TICK,), {"leave": 2, "deliver": 2, "jump": 1}, before.committed),
    "leave, revoke": Scenario((REVOKE,), {"leave": 1, "deliver": 2}, before.under_way),
    "overtaken": Scenario((TICK,), {}, before.overtaken),
    "all": Scenario(
        (SUBMIT, RETRY, K, L, REVOKE, TICK, TICK2, LIST, POLL),
        {"crash": 2, "jump": 3, "deliver": 2, "lose": 1, "retry": 2, "hand": 1, "fail": 1},
    ),
}


def make(
    name: str, code: Code | None = None, keep: Callable[[], Kept] = Kept.in_memory
) -> Callable[[], OurWorld]:
    """Return what makes the world in which a scenario begins."""
    scenario = SCENARIOS[name]

    def world() -> OurWorld:
        made = OurWorld(code or Code(), keep(), scenario.budget)
        try:
            scenario.before(made)
            for name, act in scenario.actors:
                made.enter(name, act)
        except BaseException:
            made.close()
            raise
        return made

    return world
