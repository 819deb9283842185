"""The protocol's rules as generators: submit, execute, end, finish and revoke."""

from __future__ import annotations

from tests.protocol.model.terms import BEATS, DELAY, JUMP, LOSSES, STALE, M, Record, Steps


def submit(m: M, key: str, owner: str, limit: int) -> Steps:  # noqa: C901
    """Take slot, job (the commit), live, spawn, call, answer. Same key, same job."""
    job_id = key
    while True:
        if m.has("look-before-slot"):
            job = yield "get", f"job:{job_id}"
            final = yield "get", f"final:{job_id}"  # after job: final wins over a void
            if final:
                return (yield "ack", key, job_id)
            if job and job.get("void"):
                job_id += "+"  # that submission was abandoned: next generation
                continue
        else:
            job = yield "get", "nothing"
        won = False
        if not job:
            slot = yield from claim_slot(m, owner, limit, job_id)
            if slot is None:
                return (yield "refused", key)
            job = yield from request(job_id, owner, slot)
            won = yield "add", f"job:{job_id}", job
            if not won:
                job = yield "get", f"job:{job_id}"
                if not job or job.get("void"):
                    if not m.has("look-before-slot"):
                        return None
                    continue
        return (yield from accept(m, key, job, won=won))


def request(job_id: str, owner: str, slot: str) -> Steps:
    now = yield ("now",)
    deadline = now + 2 * JUMP - 1
    return {"id": job_id, "owner": owner, "created": now, "deadline": deadline, "slot": slot}


def accept(m: M, key: str, job: Record, *, won: bool) -> Steps:
    """Behind the commit: make it visible, send it, answer."""
    job_id = job["id"]
    live = {"id": job_id, "owner": job["owner"], "created": job["created"]}
    if (won or m.has("retry-puts-live")) and m.has("live-before-spawn"):
        yield "put", f"live:{job_id}", live
    if won:
        yield from spawn(job_id)
    yield "ack", key, job_id
    if not m.has("live-before-spawn"):
        yield "put", f"live:{job_id}", live


def spawn(job_id: str, due: int = 0) -> Steps:
    call = yield "spawn", job_id, due
    if call is not None:  # a backend that cannot hold a message leaves it to the tick
        yield "put", f"call:{job_id}", {"call": call}


def claim_slot(m: M, owner: str, limit: int, job_id: str) -> Steps:
    for n in range(limit):
        slot, now = f"slot:{owner}:{n}", (yield ("now",))
        if (yield "add", slot, {"id": job_id, "at": now}):
            return slot
        if m.has("slot-shared"):
            held = yield "get", slot
            if held and held["id"] == job_id:  # an earlier submitter of this very job: share it
                return slot
    return None


def free(m: M, slot: str, job_id: str) -> Steps:
    """Delete the slot if it still names this job."""
    held = yield "get", slot
    if not held or (held["id"] != job_id and m.has("if-mine")):
        return
    if not m.has("if-value"):
        yield "delete", slot
    elif m.flavour == "sqlite":
        yield "delete_if", slot, held  # one statement
    else:
        popped = yield "pop", slot  # modal.Dict: pop, compare, add back
        if popped and popped != held:
            yield "add", slot, popped


def newest(job_id: str) -> Steps:
    """Read the attempts upward until one is absent: the last one read is the freshest."""
    n, run = 0, None
    while following := (yield "get", f"run:{job_id}:{n + 1}"):
        n, run = n + 1, following
    return n, run


def execute(m: M, job_id: str) -> Steps:
    """One delivery of a message. The only code that runs a body."""
    claimed = yield from claim(m, job_id)
    if claimed is None:
        return
    n, run = claimed
    yield "start", job_id, n
    for _ in range(BEATS):
        run = {**run, "beat": (yield ("breath",))}
        yield "put", f"run:{job_id}:{n}", run
        if (yield from look(m, job_id, n)):
            return
    outcome = yield "body", job_id, n
    if outcome == "retry":
        yield from park(m, job_id, n, run)
    elif outcome in {"handed", "leave"}:
        yield from hand_back(m, job_id, n, run, send=outcome == "handed")
    else:
        yield from end(m, job_id, "failed" if outcome == "fail" else "ok", n)


def claim(m: M, job_id: str) -> Steps:  # noqa: C901
    """Claim the next attempt, then look. None: there is nothing to run."""
    while True:
        now = yield ("now",)
        n, run = yield from newest(job_id)
        job = yield "get", f"job:{job_id}"
        if not job and m.has("no-job-no-run"):
            yield from settle_final(m, job_id)
            return None
        if run and run.get("never"):
            return (yield from end(m, job_id, run["never"]))
        if run and now - run["beat"] < STALE and m.has("wait-for-beat"):
            if (yield from settle_final(m, job_id)):
                return None
            yield "wait", job_id, now
            continue
        deadline = job["deadline"] if job else 10**6
        if n == 0 and now >= deadline and m.has("worker-expires"):
            if (yield from never(m, job_id, "expired")):
                return None
            continue
        if now < due(run) and m.has("due"):
            return None  # too early; whoever parked it has sent it again, or the tick will
        losses = lost(m, run)
        if losses > LOSSES:
            if not (yield from look(m, job_id, n)):
                yield from end(m, job_id, "lost", n)
            return None
        mine = {"beat": now, "losses": losses}
        if not m.has("claim-then-look") and (yield from look(m, job_id, n)):
            return None  # mutation: look, then claim
        if (yield "add", f"run:{job_id}:{n + 1}", mine):
            break
    if m.has("claim-then-look") and (yield from look(m, job_id, n + 1)):
        return None
    return n + 1, mine


def due(run: Record | None) -> int:
    """When the next attempt may start."""
    return int(run.get("due", 0)) if run else 0


def lost(m: M, run: Record | None) -> int:
    """How many attempts fell silent, this one included; one that said goodbye did not."""
    if run is None:
        return 0
    said = run.get("ended") is not None and m.has("goodbye-is-no-loss")
    return int(run.get("losses", 0)) + (0 if said else 1)


def park(m: M, job_id: str, n: int, run: Record) -> Steps:
    """The body asks for another attempt, later: say so, then look, then send it."""
    now = yield ("now",)
    parked = {**run, "beat": 0, "ended": "retry", "due": now + DELAY}
    yield "put", f"run:{job_id}:{n}", parked
    if m.has("park-then-look") and (yield from look(m, job_id, n)):
        return
    yield from spawn(job_id, now + DELAY)


def hand_back(m: M, job_id: str, n: int, run: Record, *, send: bool) -> Steps:
    """The worker has to leave: say that this attempt has stopped, look, send the job again.

    Without ``send`` the platform delivers the message again, or the tick has it sent.
    """
    yield "put", f"run:{job_id}:{n}", {**run, "beat": 0, "ended": "handed"}
    if m.has("hand-back-then-look") and (yield from look(m, job_id, n)):
        return
    if send:
        yield from spawn(job_id)


def look(m: M, job_id: str, n: int) -> Steps:
    stop = (yield "get", f"stop:{job_id}") if m.has("look-at-stop") else None
    final = yield "get", f"final:{job_id}"
    if not m.has("stop-then-final"):  # mutation: finish deletes stop in between
        stop = yield "get", f"stop:{job_id}"
    if final:
        yield from finish(m, final)
        return True
    if stop:
        yield from end(m, job_id, "revoked", n)
        return True
    return False


def never(m: M, job_id: str, state: str) -> Steps:
    """Settle that the job never starts, by taking attempt 1 away. True if it is over."""
    if m.has("never-mark"):
        yield "add", f"run:{job_id}:1", {"never": state}
        run = yield "get", f"run:{job_id}:1"
        if run and not run.get("never"):
            return False  # somebody started first
        state = run["never"] if run else state
    elif (yield from newest(job_id))[0]:
        return False
    yield from end(m, job_id, state)
    return True


def end(m: M, job_id: str, state: str, attempt: int = 0) -> Steps:
    """Try to be first to say how it ended; then carry out what the first one said."""
    job = yield "get", f"job:{job_id}"
    if job and not job.get("void"):
        kept = {name: job[name] for name in ("id", "owner", "slot", "created")}
        record = {**kept, "state": state, "attempt": attempt}
        won = True
        if m.has("final-add"):
            won = yield "add", f"final:{job_id}", record
        else:
            yield "put", f"final:{job_id}", record
        if won or not m.has("winner-signals"):
            yield "signal", job_id, state
    yield from settle_final(m, job_id)


def settle_final(m: M, job_id: str) -> Steps:
    final = yield "get", f"final:{job_id}"
    if final:
        yield from finish(m, final)
        return True
    return None


def finish(m: M, final: Record) -> Steps:
    """Needs nothing but the final record; every step may be repeated, by anybody, any time."""
    job_id = final["id"]
    if not m.has("delete-after-archive"):
        yield "delete", f"live:{job_id}"
    link = job_id + ".link" if m.has("derived-link") else "random"
    yield "link", link, job_id, final["state"]
    record = final
    if not m.has("final-is-record"):  # mutation: put together from job and final
        job = yield "get", f"job:{job_id}"
        record = {**final, "created": job and job["created"]}
    yield "archive_put", record
    yield "delete", f"live:{job_id}"
    n = 1
    while n <= final["attempt"] + 1 or (
        m.has("finish-goes-on") and (yield "get", f"run:{job_id}:{n}")
    ):
        yield "delete", f"run:{job_id}:{n}"
        n += 1
    yield "delete", f"stop:{job_id}"
    yield "delete", f"call:{job_id}"
    yield from free(m, final["slot"], job_id)
    yield "delete", f"job:{job_id}"


def revoke(m: M, job_id: str) -> Steps:
    job = yield "get", f"job:{job_id}"
    if not job or job.get("void"):
        return  # unknown, or final already
    call = yield "get", f"call:{job_id}"
    if (yield from never(m, job_id, "revoked")):
        if call:
            yield "cancel", call["call"]
    else:
        yield "add", f"stop:{job_id}", {"asked": True}  # not {}: it would read as none
        n, run = yield from newest(job_id)
        if run and not run.get("beat") and m.has("revoke-silent"):
            yield from end(m, job_id, "revoked", n)  # nobody is there to hear of it
    yield "revoked", job_id
