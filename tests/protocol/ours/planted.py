"""The table of planted bugs: which rule each lacks, where that shows, and which check notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tasks.framework.protocol import Protocol
from tasks.framework.reading import Reading, read
from tasks.framework.records import Live
from tests.protocol.model.mutations import (
    AT_ONCE,
    CLEANED,
    EXPIRED,
    LIMITS,
    LISTED,
    LOSER,
    ONCE,
    REVOKED,
    SAME_KEY,
)
from tests.protocol.ours import mutants
from tests.protocol.ours.world import Code


def reads_final_once(protocol: Protocol, run_id: str) -> Reading | None:
    """Read as ours, but do not read final again where there is no run."""
    final = protocol.final(run_id)
    _, run = (0, None) if final else protocol.newest(run_id)
    if run and not run.never:
        return Reading(run_id, run, protocol.clock())
    job = None if final else protocol.job(run_id)
    if job and not job.void:
        return Reading(run_id, job, protocol.clock())
    final = final or protocol.archive.get(run_id)
    return Reading(run_id, final, protocol.clock()) if final else None


def _live(protocol: Protocol) -> Iterator[Reading | None]:
    for _, value in protocol.store.scan("live:"):
        yield read(protocol, Live.from_json(value).id)


def lists_archive_first(protocol: Protocol, **wanted: Any) -> list[Reading]:
    done = protocol.archive.list(**wanted)
    found = {final.id: Reading(final.id, final, 0) for final in done}
    found.update({each.id: each for each in _live(protocol) if each})
    return list(found.values())


def lists_twice(protocol: Protocol, **wanted: Any) -> list[Reading]:
    live = [each for each in _live(protocol) if each]
    return live + [Reading(final.id, final, 0) for final in protocol.archive.list(**wanted)]


@dataclass(frozen=True)
class Planted:
    """Code that lacks a rule, the scenario that shows it, and the check that has to fail."""

    code: Code
    scenario: str
    breaks: str


def bug(kind: type[Protocol], scenario: str, breaks: str) -> Planted:
    return Planted(Code(protocol=kind), scenario, breaks)


def in_tick(ticking: Callable[[Protocol], Protocol], scenario: str, breaks: str) -> Planted:
    return Planted(Code(ticking=ticking), scenario, breaks)


BEATS = "no second attempt while the first beats"
GOES_BACK = "a poller never goes back"
IN_A_TICK = "cancelled within a tick"

PLANTED = {
    "final-is-record": bug(mutants.RecordFromJob, "deliver twice", "archive never changes"),
    "delete-after-archive": bug(mutants.DeletesBeforeArchive, "list", LISTED),
    "sweep-all": in_tick(mutants.live_only, "submit, crash", CLEANED),
    "sweep-slots": in_tick(mutants.slots_unswept, "submit, crash", CLEANED),
    "sweep-runs": in_tick(mutants.runs_unswept, "overtaken", CLEANED),
    "tick-finishes": in_tick(mutants.does_not_finish, "ended", "link at least once"),
    "tick-respawns": in_tick(mutants.does_not_respawn, "one job", "acknowledged is never lost"),
    "tick-revokes": in_tick(mutants.does_not_revoke, "revoke, worker dead", IN_A_TICK),
    "void": in_tick(mutants.no_void, "slow submit", LIMITS),
    "wait-for-beat": bug(mutants.NoWaitForBeat, "deliver twice", BEATS),
    "final-add": bug(mutants.FinalIsPut, "revoke", LOSER),
    "winner-signals": bug(mutants.LosersSignal, "revoke", LOSER),
    "slot-shared": bug(mutants.SlotNotShared, "retry, crash", SAME_KEY),
    "retry-puts-live": bug(mutants.RetryLeavesLive, "retry, crash, list", LISTED),
    "live-before-spawn": bug(mutants.LiveLate, "list", LISTED),
    "if-value": bug(mutants.FreesBlindly, "late finisher", LIMITS),
    "if-mine": bug(mutants.FreesAnySlot, "late finisher", LIMITS),
    "never-mark": bug(mutants.NoNeverMark, "expire, claim late", EXPIRED),
    "look-at-stop": bug(mutants.StopUnseen, "revoke, worker dead", REVOKED),
    "stop-then-final": bug(mutants.FinalThenStop, "revoked, worker dead", REVOKED),
    "worker-expires": bug(mutants.WorkerDoesNotExpire, "expire", EXPIRED),
    "claim-then-look": bug(mutants.LookThenClaim, "deliver twice", ONCE),
    "read-final-again": Planted(
        Code(read=reads_final_once), "poll, end", "a poller never goes back"
    ),
    "live-then-archive": Planted(Code(listing=lists_archive_first), "list", LISTED),
    "runs-then-archive": Planted(Code(listing=lists_archive_first), "list ended", LISTED),
    "dedupe": Planted(Code(listing=lists_twice), "list", LISTED),
    "look-before-slot": bug(mutants.SlotBeforeLook, "retry late", SAME_KEY),
    "derived-link": bug(mutants.LinkAnew, "deliver twice", "one link"),
    "due": bug(mutants.Impatient, "try again", "a parked job waits"),
    "goodbye-is-no-loss": bug(mutants.Suspicious, "hand back", "only the lost are lost"),
    "park-then-look": bug(mutants.ParksBlindly, "try again, revoke", AT_ONCE),
    "hand-back-then-look": bug(mutants.HandsBackBlindly, "hand back, revoke", AT_ONCE),
    "revoke-silent": bug(mutants.LeavesTheSilent, "try again, revoke", AT_ONCE),
}
