"""What listing some states only reads: not the queue, and yet nothing that it should show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tasks.framework import State
from tasks.framework.archives.memory import MemoryArchive
from tasks.framework.reading import listing
from tasks.framework.records import Ending, Final
from tasks.framework.states import FINAL_STATES
from tasks.framework.stores import Json
from tasks.framework.stores.memory import MemoryStore
from tests.tasks.framework.rig import Rig, no_wait, request

ENDED = sorted(FINAL_STATES)


class Counting(MemoryStore):
    """Counts what it is asked, and does something behind each scan of a prefix."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.behind: dict[str, Callable[[], object]] = {}

    def get(self, key: str) -> Json | None:
        self.asked["get"] += 1
        return super().get(key)

    def scan(self, prefix: str) -> Iterator[tuple[str, Json]]:
        self.asked[prefix] += 1
        found = super().scan(prefix)
        self.behind.pop(prefix, int)()
        return found


class Stuck(MemoryArchive):
    """An archive that takes nothing, as when whoever ended a run died before it was archived."""

    def put(self, record: Final) -> None:
        raise ConnectionError


@pytest.fixture
def store() -> Counting:
    return Counting()


@pytest.fixture
def rig(store: Counting) -> Iterator[Rig]:
    with Rig(store=store).configured() as rig:
        yield rig


def submit(rig: Rig, *names: str) -> None:
    for name in names:
        rig.clock.now += 1
        rig.protocol.submit(request(name, created=rig.clock.now, owner=f"owner of {name}"))


def start(rig: Rig, name: str) -> None:
    assert rig.protocol.claim(name, worker="w", wait=no_wait)


def ids(rig: Rig, *states: State, owner: str | None = None) -> list[str]:
    found = listing(rig.protocol, task="t", states=states, owner=owner)
    return [reading.id for reading in found]


def test_a_long_queue_is_not_read_for_what_has_begun_or_ended(rig: Rig, store: Counting) -> None:
    submit(rig, *(f"r{n}" for n in range(300)))
    start(rig, "r7")
    start(rig, "r8")
    rig.protocol.end("r8", Ending(State.SUCCEEDED))
    store.asked.clear()

    assert ids(rig, *ENDED) == ["r8"]
    assert ids(rig, State.STARTED, State.RETRYING) == ["r7"]
    assert store.asked["live:"] == 0
    assert store.asked["get"] < 20


def test_what_waits_is_shown_with_what_has_begun(rig: Rig) -> None:
    submit(rig, "a", "b", "c")
    start(rig, "b")
    rig.protocol.revoke("c")

    assert ids(rig, State.QUEUED, State.STARTED) == ["b", "a"]
    assert ids(rig, State.QUEUED, *ENDED) == ["c", "a"]
    assert ids(rig, State.SCHEDULED) == []


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.REVOKED, State.EXPIRED])
def test_what_has_ended_and_is_not_archived_yet_is_shown(store: Counting, state: State) -> None:
    with Rig(store=store, archive=Stuck()).configured() as rig:
        submit(rig, "a", "b")
        started = state is State.SUCCEEDED
        if started:
            start(rig, "a")
        with pytest.raises(ConnectionError):
            rig.protocol.end("a", Ending(state)) if started else rig.protocol.never("a", state)

        assert ids(rig, state) == ["a"]
        assert ids(rig, *ENDED, owner="owner of a") == ["a"]
        assert ids(rig, state, owner="owner of b") == []
        assert ids(rig, State.FAILED) == []


def test_what_is_archived_between_two_reads_is_shown_once(rig: Rig, store: Counting) -> None:
    submit(rig, "a", "b")
    start(rig, "a")
    store.behind["run:"] = lambda: rig.protocol.end("a", Ending(State.SUCCEEDED))
    assert ids(rig, *ENDED) == ["a"]

    start(rig, "b")
    store.behind["run:"] = lambda: rig.protocol.end("b", Ending(State.SUCCEEDED))
    assert ids(rig, State.STARTED) == []


def test_what_another_task_has_in_hand_is_not_read(rig: Rig, store: Counting) -> None:
    submit(rig, "mine")
    start(rig, "mine")
    for n in range(30):
        rig.protocol.submit(request(f"other{n}", task="another"))
        start(rig, f"other{n}")
    store.asked.clear()

    assert ids(rig, State.STARTED) == ["mine"]
    assert store.asked["get"] < 20


def test_what_another_task_has_ended_is_not_shown(store: Counting) -> None:
    with Rig(store=store, archive=Stuck()).configured() as rig:
        rig.protocol.submit(request("other", task="another"))
        with pytest.raises(ConnectionError):
            rig.protocol.never("other", State.EXPIRED)

        assert ids(rig, *ENDED) == []


def test_a_mark_whose_run_has_gone_or_is_of_another_task_shows_nothing(rig: Rig) -> None:
    rig.store.add("run:gone:1", {"never": "revoked"})
    rig.protocol.submit(request("other", task="another"))
    rig.store.add("run:other:1", {"never": "revoked"})

    assert ids(rig, *ENDED) == []


def test_pages_of_what_has_begun_go_on_where_the_last_one_ended(rig: Rig) -> None:
    submit(rig, "a", "b", "c", "d")
    for name in "abcd":
        start(rig, name)
    first = listing(rig.protocol, task="t", states=[State.STARTED], limit=3)
    rest = listing(rig.protocol, task="t", states=[State.STARTED], after=first[-1].position)

    assert [reading.id for reading in (*first, *rest)] == ["d", "c", "b", "a"]
