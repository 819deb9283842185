"""What operators are told of runs: which there are, and everything about one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.framework import State
from tasks.framework.inspection import (
    NoSuchTask,
    count_old,
    declared,
    details,
    list_runs,
    resolve,
    summary,
)
from tests.tasks.framework.lives import STATES, every_life, paint
from tests.tasks.framework.rig import Rig, request


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Rig]:
    with every_life(tmp_path / "tasks.db") as rig:
        yield rig


def test_runs_of_several_tasks_are_listed_together_newest_first(lives: Rig) -> None:
    lives.protocol.submit(request("other", task="another", created=lives.clock.now - 0.5))

    found = list_runs(lives.protocol, ["t", "another"])

    assert [run.id for run in found.runs] == ["other", *list(STATES)[::-1]]
    assert not found.more
    assert {run.id: run.state for run in found.runs if run.record.task == "t"} == STATES


@pytest.mark.parametrize("state", list(State))
def test_runs_are_listed_by_state(lives: Rig, state: State) -> None:
    found = list_runs(lives.protocol, ["t"], states=[state])
    assert [STATES[run.id] for run in found.runs] == [state]


def test_runs_are_listed_by_owner(lives: Rig) -> None:
    found = list_runs(lives.protocol, ["t"], owner="u-parked")
    assert [run.id for run in found.runs] == ["parked"]


def test_a_listing_says_when_there_is_more(lives: Rig) -> None:
    found = list_runs(lives.protocol, ["t"], limit=len(STATES) - 1)
    assert found.more
    assert [run.id for run in found.runs] == list(STATES)[:0:-1]
    assert not list_runs(lives.protocol, ["t"], limit=len(STATES)).more


def test_a_summary_is_json_with_times_in_words(lives: Rig) -> None:
    broken = summary(list_runs(lives.protocol, ["t"], states=[State.FAILED]).runs[0])
    assert json.loads(json.dumps(broken)) == broken
    assert broken["error"] == "LookupError: no such [red]colour"
    assert broken["attempt"] == 1
    assert broken["ended"].endswith("+00:00")


@pytest.mark.parametrize("run_id", list(STATES))
def test_everything_about_a_run_is_json(lives: Rig, run_id: str) -> None:
    found = details(lives.protocol, run_id)
    assert found is not None
    told = found.to_json()
    assert json.loads(json.dumps(told)) == told
    assert (told["id"], told["task"], told["pool"]) == (run_id, "t", "cpu")
    assert (told["state"], told["owner"]) == (STATES[run_id].value, f"u-{run_id}")
    assert told["args"] == [run_id]
    assert told["created"].endswith("+00:00")


def test_a_failed_run_shows_its_error_with_traceback_and_its_log(lives: Rig) -> None:
    found = details(lives.protocol, "broken")
    assert found is not None
    assert "raise LookupError" in found.fields["error"]["traceback"]
    assert found.fields["logs"][0].endswith("told to be broken")
    assert found.fields["meta"] == {"step": "broken"}


def test_a_parked_run_shows_its_next_attempt_and_the_last_one(lives: Rig) -> None:
    found = details(lives.protocol, "parked")
    assert found is not None
    assert found.fields["attempt_ended"] == "retry"
    assert found.fields["due"] > lives.clock.now + 40_000
    assert found.fields["logs"][0].endswith("told to be parked")


def test_a_running_run_shows_its_worker_and_that_it_was_asked_to_stop(lives: Rig) -> None:
    before = details(lives.protocol, "held")
    lives.protocol.revoke("held")
    after = details(lives.protocol, "held")
    assert before is not None
    assert after is not None
    assert (before.fields["worker"], before.fields["attempt_ended"]) == ("holder-1", None)
    assert (before.stop_asked, after.stop_asked) == (None, lives.clock.now)


def test_a_run_says_whether_its_delivery_still_waits(lives: Rig) -> None:
    def waiting() -> bool:
        found = details(lives.protocol, "waiting")
        return found is not None and found.waiting

    assert waiting()
    lives.backend.lose_all()
    assert not waiting()


def test_of_an_unknown_id_nothing_is_told(lives: Rig) -> None:
    assert details(lives.protocol, "nobody") is None


def test_a_task_may_be_named_by_the_last_part_of_its_name(lives: Rig) -> None:
    assert resolve(lives.protocol, ["paint", "t"]) == (paint.name, "t")
    assert declared("t") == "t"


def test_no_names_mean_every_task_that_is_declared_or_has_live_runs(lives: Rig) -> None:
    lives.protocol.submit(request("old", task="removed"))
    assert {"t", "removed", paint.name} <= set(resolve(lives.protocol, ()))


def test_a_removed_task_goes_by_its_full_name_while_there_are_runs_of_it(lives: Rig) -> None:
    lives.protocol.submit(request("old", task="removed"))
    assert resolve(lives.protocol, ["removed"]) == ("removed",)
    lives.protocol.revoke("old")  # it is in the archive now
    assert resolve(lives.protocol, ["removed"]) == ("removed",)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("pain", "paint"),
        ("tests.lifes.paint", "tests.lives.paint"),
        ("zzzzzz", "tests.lives.paint"),
    ],
)
def test_a_task_that_is_not_there_is_refused_with_near_matches(
    lives: Rig, name: str, remedy: str
) -> None:
    with pytest.raises(NoSuchTask, match=f"no task '{name}'.*{remedy}"):
        resolve(lives.protocol, [name])


def test_only_finished_runs_that_were_sent_before_a_moment_are_old(lives: Rig) -> None:
    broken = lives.archive.get("broken")
    assert broken is not None
    assert count_old(lives.protocol, "t", before=broken.created) == 1
