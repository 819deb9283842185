"""What a run and a listing look like from outside."""

from __future__ import annotations

from tasks.framework import State
from tasks.framework.reading import listing, read
from tasks.framework.records import Ending, Run
from tasks.framework.tick import purge
from tests.tasks.framework.rig import Rig, claim, request, state


def test_a_run_is_read_as_it_goes_along(rig: Rig) -> None:
    assert state(rig) is None
    rig.protocol.submit(request())
    assert state(rig) is State.QUEUED
    claim(rig)
    assert state(rig) is State.STARTED
    rig.protocol.end("J", Ending(State.SUCCEEDED, result=1))
    assert state(rig) is State.SUCCEEDED
    purge(rig.protocol, older_than=-1)
    assert state(rig) is State.SUCCEEDED  # from the archive


def test_a_run_marked_never_to_start_still_reads_as_queued(rig: Rig) -> None:
    rig.protocol.submit(request())
    rig.store.add("run:J:1", Run(never=State.REVOKED).to_json())

    assert state(rig) is State.QUEUED


def test_a_listing_holds_live_and_archived_runs_once_each_in_pages(rig: Rig) -> None:
    for n in range(6):
        rig.clock.now += 1
        rig.protocol.submit(request(f"r{n}", created=rig.clock.now, owner="o"))
    for n in (0, 3, 4):
        rig.protocol.revoke(f"r{n}")
    rig.store.put("live:r4", {"id": "r4", "task": "t", "owner": "o", "created": 0, "deadline": 0})

    def page(after: tuple[float, str] | None) -> list[str]:
        found = listing(rig.protocol, task="t", owner="o", after=after, limit=4)
        return [reading.id for reading in found]

    assert page(None) == ["r5", "r4", "r3", "r2"]
    third = read(rig.protocol, "r2")
    assert third is not None
    assert page(third.position) == ["r1", "r0"]


def test_a_listing_can_be_narrowed_to_states(rig: Rig) -> None:
    rig.protocol.submit(request("a"))
    rig.protocol.submit(request("b"))
    rig.protocol.revoke("b")
    rig.protocol.submit(request("c", task="another"))

    def ids(*states: State) -> list[str]:
        return [reading.id for reading in listing(rig.protocol, task="t", states=states)]

    assert ids(State.QUEUED) == ["a"]
    assert ids(State.REVOKED) == ["b"]
    assert ids(State.STARTED) == []
    assert ids() == ["b", "a"]
