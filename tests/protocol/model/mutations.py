"""The protocol with one rule dropped: which scenarios show it, and which check notices."""

from __future__ import annotations

from dataclasses import dataclass

from tests.protocol.model.explore import Found, dfs, walks
from tests.protocol.model.scenarios import make

LIMITS = "limit"
ONCE = "an attempt runs once"
CLEANED = "everything cleaned"
SAME_KEY = "same key same job"
LOSER = "loser emits nothing"
LISTED = "a listing neither misses nor doubles"
EXPIRED = "expired never starts"
REVOKED = "revoked before start never starts"
AT_ONCE = "cancelled within seconds"


@dataclass(frozen=True)
class Mutation:
    """Where the lack of a rule shows, and the check that fails; none for one that is caught."""

    scenarios: tuple[str, ...]
    breaks: str | None


FOCUS: dict[str, Mutation] = {
    "final-is-record": Mutation(("late finisher",), "archive never changes"),
    "delete-after-archive": Mutation(("list",), LISTED),
    "sweep-all": Mutation(("one job", "submit, crash"), CLEANED),
    "sweep-slots": Mutation(("submit, crash",), CLEANED),
    "tick-finishes": Mutation(("one job",), "link at least once"),
    "tick-puts-live": Mutation(("submit, crash",), None),
    "tick-respawns": Mutation(("one job",), "acknowledged is never lost"),
    "wait-for-beat": Mutation(("deliver twice",), "no second attempt while the first beats"),
    "final-add": Mutation(("revoke",), LOSER),
    "winner-signals": Mutation(("revoke",), LOSER),
    "slot-shared": Mutation(("retry, crash",), SAME_KEY),
    "void": Mutation(("slow submit",), LIMITS),
    "retry-puts-live": Mutation(("retry, crash, list",), LISTED),
    "live-before-spawn": Mutation(("list",), LISTED),
    "if-value": Mutation(("late finisher",), LIMITS),
    "never-mark": Mutation(("expire",), EXPIRED),
    "look-at-stop": Mutation(("revoke, worker dead",), REVOKED),
    "worker-expires": Mutation(("expire",), EXPIRED),
    "claim-then-look": Mutation(("deliver twice", "revoke"), ONCE),
    "tick-revokes": Mutation(("revoke, last worker dead",), "a cancelled job ends cancelled"),
    "read-final-again": Mutation(("poll",), "a poller never goes back"),
    "dedupe": Mutation(("list",), LISTED),
    "live-then-archive": Mutation(("list",), LISTED),
    "runs-then-archive": Mutation(("list ended",), LISTED),
    "look-before-slot": Mutation(("retry late",), SAME_KEY),
    "if-mine": Mutation(("late finisher",), LIMITS),
    "derived-link": Mutation(("deliver twice",), "one link"),
    "no-job-no-run": Mutation(("deliver twice",), None),
    "stop-then-final": Mutation(("revoke, worker dead",), REVOKED),
    # what retries and handing back need
    "due": Mutation(("try again",), "a parked job waits"),
    "goodbye-is-no-loss": Mutation(("hand back",), "only the lost are lost"),
    "park-then-look": Mutation(("try again, revoke",), AT_ONCE),
    "hand-back-then-look": Mutation(("hand back, revoke",), AT_ONCE),
    "revoke-silent": Mutation(("parked, revoke",), AT_ONCE),
    "finish-goes-on": Mutation(("overtaken",), None),
    "sweep-runs": Mutation(("overtaken",), CLEANED),
}


def mutate(rule: str, paths: int, flavour: str = "sqlite") -> dict[str, Found]:
    """Return what breaks without a rule, by check: the shortest trace for each."""
    found: dict[str, Found] = {}
    wanted = FOCUS[rule].breaks
    for name in FOCUS[rule].scenarios:
        world = make(name, flavour, [rule])
        searches = [walks(world, paths, wanted=wanted)]
        if wanted is None or searches[0].check != wanted:
            searches.append(dfs(world, paths))
        for each in searches:
            if each.check and len(each.log) < len(
                found.get(each.check, Found(log=[""] * 999)).log
            ):
                found[each.check] = each
    return found
