"""What must hold whatever happens; watches a run of the model, or of our own code."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NoReturn

from tests.protocol.model.terms import LOSSES, Record

ORDER = ("unknown", "queued", "running", "final")


class Violation(Exception):
    """Something that must hold does not; the text begins with the name of the check."""


class Checks:
    """The history that the checks need, and the checks.

    ``limit`` is of unfinished jobs, ``stale`` how old a heartbeat may be.
    """

    def __init__(self, limit: int | None, stale: float) -> None:
        self.limit, self.stale, self.quiet = limit, stale, False
        self.clock: float = 0
        self.acks: dict[str, str] = {}
        self.revoked: dict[str, bool] = {}
        self.links: dict[str, list[str]] = {}
        self.signals: dict[str, int] = {}
        self.starts: list[tuple[str, int]] = []
        self.beats: dict[str, float] = {}
        self.gap: set[str] = set()
        self.fell: set[str] = set()
        self.parked: dict[str, float] = {}
        self.goodbye: set[str] = set()
        self.deadline: dict[str, float] = {}
        self.late: dict[str, str] = {}
        self.final: dict[str, Record] = {}
        self.archive: dict[str, Record] = {}
        self.seen: dict[tuple[str, str], str] = {}
        self.asked_long_ago: set[str] = set()
        self.linkless: set[str] = set()

    def fail(self, check: str, text: str) -> NoReturn:
        raise Violation(f"{check}: {text}")

    def state(self) -> str:
        """Return everything that a later check may depend on, for hashing."""
        skipped = {"limit", "stale", "quiet", "archive"}
        return repr(
            [
                sorted(value.items()) if isinstance(value, dict) else sorted(value)
                for name, value in vars(self).items()
                if name not in skipped and isinstance(value, dict | set | list)
            ]
        )

    # -- what is written ---------------------------------------------------------------------

    def writes(self, key: str, value: Record, store: Mapping[str, Record]) -> None:
        """Note a write, before it changes the store."""
        kind, _, rest = key.partition(":")
        if kind == "final":
            self.ends(rest, value)
        elif kind == "run" and not value.get("never"):
            self.reports(key, value, store)
        elif kind == "job" and value.get("deadline") is not None:
            self.deadline[rest] = value["deadline"]

    def ends(self, job_id: str, value: Record) -> None:
        if self.final.get(job_id, value) != value:
            self.fail("one final", f"{job_id} was {self.final[job_id]}, now {value}")
        self.final[job_id] = value
        if value["state"] == "expired" and any(s[0] == job_id for s in self.starts):
            self.fail("expired never starts", f"{job_id} started, then became expired")
        if value["state"] == "lost" and job_id in self.asked_long_ago:
            self.fail("a cancelled job ends cancelled", f"{job_id} ends lost")
        if value["state"] == "lost":
            fell = [run for run in self.fell if run.split(":")[0] == job_id]
            if len(fell) <= LOSSES:
                self.fail("only the lost are lost", f"{job_id} ends lost, silent were {fell}")

    def reports(self, key: str, value: Record, store: Mapping[str, Record]) -> None:
        run = key.partition(":")[2]
        job_id, n = run.rsplit(":", 1)
        if key not in store:
            self.claims(job_id, int(n), value, store)
        beat = value["beat"]
        if value.get("ended"):
            self.gap.add(run)
            self.goodbye.add(run)
        elif self.clock - min(beat, self.beats.get(run, self.clock)) >= self.stale:
            self.gap.add(run)
            self.fell.add(run)
        if value.get("ended") == "retry":
            self.parked[run] = value["due"]
        self.beats[run] = beat  # silence is judged by what the record says

    def claims(self, job_id: str, n: int, value: Record, store: Mapping[str, Record]) -> None:
        run = f"{job_id}:{n}"
        if job_id in self.final:
            self.late.setdefault(run, "a finished job never starts again: claimed after its end")
        if f"stop:{job_id}" in store:
            self.late.setdefault(run, "revoked before start never starts: claimed after stop")
        if n == 1 and value["beat"] >= self.deadline.get(job_id, float("inf")):
            self.late.setdefault(run, "expired never starts: claimed after its deadline")

    def passes(self) -> None:
        """Note that time has passed."""
        for run, at in self.beats.items():
            if self.clock - at >= self.stale:
                self.gap.add(run)
                if run not in self.goodbye:
                    self.fell.add(run)

    def archives(self, record: Record) -> None:
        if self.archive.get(record["id"], record) != record:
            was = self.archive[record["id"]]
            self.fail("archive never changes", f"{was} -> {record}")
        self.archive[record["id"]] = record

    def counts(self, store: Mapping[str, Record]) -> None:
        """Count the unfinished jobs that hold a place."""
        if self.limit is None or self.quiet:
            return
        jobs = [value for key, value in store.items() if key.startswith("job:")]
        held = [v for v in jobs if v.get("slot") is not None and v["id"] not in self.final]
        n = sum(1 for value in held if not value.get("void"))
        if n > self.limit:
            self.fail("limit", f"{n} unfinished jobs admitted, limit {self.limit}")

    # -- what is answered and done -----------------------------------------------------------

    def acknowledged(self, key: str, job_id: str, store: Mapping[str, Record]) -> None:
        if self.acks.setdefault(key, job_id) != job_id:
            self.fail("same key same job", f"{key} was {self.acks[key]}, now {job_id}")
        if job_id not in self.final and f"job:{job_id}" not in store:
            self.fail("acknowledged is never lost", f"{job_id} acknowledged but not there")

    def refused(self, key: str, knew: Collection[str], own: list[str], now: list[str]) -> None:
        """Check a refusal. ``knew``: what had been answered when the request began;
        ``own`` and ``now``: the places taken, as slot and id, then and now."""
        if key in knew:
            self.fail("same key same job", f"{key} was acknowledged, its retry refused")
        if own and own == now and all(place.endswith(key) for place in own):
            self.fail("same key same job", f"{key} refused for its own reservation")

    def revocation(self, job_id: str) -> None:
        started = any(run.split(":")[0] == job_id for run in self.beats)
        otherwise = job_id in self.final and self.final[job_id]["state"] != "revoked"
        self.revoked.setdefault(job_id, started or otherwise)

    def started(self, job_id: str, n: int) -> None:
        run = f"{job_id}:{n}"
        if (job_id, n) in self.starts:
            self.fail("an attempt runs once", f"{run} started twice")
        self.starts.append((job_id, n))
        if self.final.get(job_id, {}).get("state") == "expired":
            self.fail("expired never starts", f"{run} started after expired")
        if self.revoked.get(job_id) is False:
            text = f"{run} started after its revocation was acknowledged"
            self.fail("revoked before start never starts", text)
        if run in self.late:
            self.fail(*self.late[run].split(": "))
        before = f"{job_id}:{n - 1}"
        if self.clock < self.parked.get(before, 0) and before not in self.fell:
            self.fail("a parked job waits", f"{run} starts before it is due")
        for k in range(1, n):
            if f"{job_id}:{k}" in self.beats and f"{job_id}:{k}" not in self.gap:
                text = f"{run} starts, attempt {k} never fell silent"
                self.fail("no second attempt while the first beats", text)

    def signalled(self, job_id: str, state: str) -> None:
        self.signals[job_id] = self.signals.get(job_id, 0) + 1
        if self.signals[job_id] > 1 or self.final[job_id]["state"] != state:
            text = f"signal {state} for {job_id}, final {self.final[job_id]['state']}"
            self.fail("loser emits nothing", text)

    def linked(self, link_id: str, job_id: str, state: str) -> None:
        if self.final[job_id]["state"] != state:
            self.fail("loser emits nothing", f"link {state} for {job_id}")
        sent = self.links.setdefault(job_id, [])
        if link_id not in sent:
            sent.append(link_id)
        if len(sent) > 1:
            self.fail("one link", f"{job_id}: {sent}")

    def saw(self, who: str, job_id: str, state: str) -> None:
        last = self.seen.get((who, job_id), "unknown")
        if ORDER.index(state) < ORDER.index(last):
            self.fail("a poller never goes back", f"{job_id}: {last}, then {state}")
        self.seen[who, job_id] = state

    def listed(self, before: Collection[str], ids: list[str]) -> None:
        for job_id in before:
            if ids.count(job_id) != 1:
                text = f"{job_id} {ids.count(job_id)} times in {ids}"
                self.fail("a listing neither misses nor doubles", text)

    # -- when all is quiet -------------------------------------------------------------------

    def cancelled_at_once(self, store: Mapping[str, Record]) -> None:
        """Nobody runs, nobody has died: no revocation may be waiting for anything."""
        for job_id in self.revoked:
            n = 0
            while f"run:{job_id}:{n + 1}" in store:
                n += 1
            if n and store[f"run:{job_id}:{n}"].get("ended") and job_id not in self.final:
                self.fail("cancelled within seconds", f"{job_id} is parked, though revoked")

    def cancelled_by_now(self) -> None:
        """All who ran are dead and a tick has passed: no revocation may be left."""
        for job_id in self.revoked:
            if job_id not in self.final:
                self.fail("cancelled within a tick", f"{job_id} has no final")

    def settled(self, store: Mapping[str, Record]) -> None:
        """Time has passed, ticks have run, messages have come: everything must be over."""
        for job_id in self.acks.values():
            if job_id not in self.final:
                self.fail("acknowledged is never lost", f"{job_id} has no final")
        for job_id in self.final:
            if not self.links.get(job_id) and job_id not in self.linkless:
                self.fail("link at least once", job_id)
            if job_id not in self.archive:
                self.fail("archived", job_id)
        left = [k for k, v in store.items() if not k.startswith("final:") and not v.get("void")]
        if left:
            self.fail("everything cleaned", f"left: {left}")
