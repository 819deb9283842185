"""Counting runs, what waits, and who works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.framework import State
from tasks.framework.backends.doorbell import Doorbell
from tasks.framework.backends.local import LocalBackend
from tasks.framework.survey import survey
from tests.tasks.framework.lives import STATES, every_life
from tests.tasks.framework.local_app import hold
from tests.tasks.framework.rig import Rig, request

HOUR = 3600.0


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Rig]:
    with every_life(tmp_path / "tasks.db") as rig:
        yield rig


def test_runs_are_counted_by_task_and_state(lives: Rig) -> None:
    lives.protocol.submit(request("other", task="another", created=lives.clock.now))

    found = survey(lives.protocol, ["t", "another", "idle"], span=HOUR)

    counted = {task.task: dict(task.counts) for task in found.tasks}
    assert counted == {
        "t": dict.fromkeys(State, 1),
        "another": {State.QUEUED: 1},
        "idle": {},
    }
    assert not found.cut


def test_finished_runs_are_counted_only_if_they_were_sent_within_the_span(lives: Rig) -> None:
    archived = lives.archive.get("stopped")
    assert archived is not None
    (task,) = survey(lives.protocol, ["t"], span=lives.clock.now - archived.created).tasks
    ended = {state for state, count in task.counts.items() if count and state.final}
    assert ended == {State.REVOKED, State.EXPIRED}


def test_a_count_that_is_cut_short_says_so(lives: Rig) -> None:
    found = survey(lives.protocol, ["t"], span=HOUR, max_live=4, max_counted=4)
    assert (found.cut, found.tasks[0].cut) == (False, False)

    found = survey(lives.protocol, ["t"], span=HOUR, max_live=3, max_counted=3)
    assert (found.cut, found.tasks[0].cut) == (True, True)
    assert sum(found.tasks[0].counts.values()) == 6


def test_what_a_pool_could_run_now_waits_for_it_and_the_oldest_says_how_long(lives: Rig) -> None:
    waited = request("newer", created=lives.clock.now, due=lives.clock.now)
    lives.protocol.submit(waited)
    lives.clock.now += 60

    found = survey(lives.protocol, ["t"], span=HOUR)

    sent = waited.created - len(STATES) + list(STATES).index("waiting")
    (pool,) = found.pools
    assert (pool.pool, pool.waiting, pool.oldest) == ("cpu", 2, lives.clock.now - sent)
    assert found.tasks[0].oldest == pool.oldest


def test_each_pool_has_its_own_waiting_runs(lives: Rig) -> None:
    lives.protocol.submit(request("far", task=hold.name, created=lives.clock.now))
    found = survey(lives.protocol, ["t", hold.name], span=HOUR).pools
    assert [(each.pool, each.waiting) for each in found] == [("cpu", 1), ("holder", 1)]
    assert found[1].oldest == 0


def test_a_run_whose_worker_was_lost_waits_for_its_pool_again(lives: Rig) -> None:
    _, run = lives.protocol.newest("held")
    assert run is not None
    lives.protocol.silence("held", run)
    assert survey(lives.protocol, ["t"], span=HOUR).pools[0].waiting == 2


def test_living_workers_are_named_with_the_run_in_hand(lives: Rig, tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "tasks.db", tmp_path / "bells")
    bells = [Doorbell(backend.bells, name) for name in ("holder-1", "idle-1", "closed-1")]
    backend.mark_ready("holder-1", "holder")
    bells.pop().close()

    found = survey(replace(lives.protocol, backend=backend), ["t"], span=HOUR).workers

    assert [(each.name, each.ready, each.run) for each in found] == [
        ("holder-1", True, "held"),
        ("idle-1", False, None),
    ]
    for bell in bells:
        bell.close()


def test_a_worker_that_was_killed_is_not_named(lives: Rig, tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "tasks.db", tmp_path / "bells")
    bell = Doorbell(backend.bells, "killed-1")
    kept = backend.bells / "kept"
    (backend.bells / "killed-1").rename(kept)
    bell.close()  # a dead process leaves its pipe, which nobody reads
    kept.rename(backend.bells / "killed-1")
    assert survey(replace(lives.protocol, backend=backend), ["t"], span=HOUR).workers == ()


def test_a_survey_is_json(lives: Rig) -> None:
    told = survey(lives.protocol, ["t"], span=HOUR).to_json()
    assert json.loads(json.dumps(told)) == told
    assert {state.value for state in State} <= set(told["tasks"][0])
