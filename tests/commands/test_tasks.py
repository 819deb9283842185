"""Looking after the runs of every task, on a real data directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tasks.framework import NotConfigured, State, execute, group, runtime
from tasks.framework.backends.doorbell import Doorbell
from tasks.framework.reading import read
from tests.commands.support import run
from tests.tasks.framework.lives import STATES, every_life, paint
from tests.tasks.framework.rig import Rig, request

DAY = 86_400


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Rig]:
    with every_life(tmp_path / "tasks.db") as rig:
        yield rig


def tasks(rig: Rig, *arguments: str, **environment: str) -> Result:
    return run("tasks", *arguments, "--data", str(data_of(rig)), **environment)


def told(rig: Rig, *arguments: str) -> Any:
    result = tasks(rig, *arguments, "--json")
    assert result.exit_code == 0
    return json.loads(result.stdout)


def data_of(rig: Rig) -> Path:
    path: Path = rig.store._database.path  # type: ignore[attr-defined]
    return path.parent


def state_of(rig: Rig, run_id: str) -> State | None:
    reading = read(rig.protocol, run_id)
    return reading.state if reading else None


def test_runs_are_listed_in_a_table_newest_first(lives: Rig) -> None:
    result = tasks(lives, "list", "--task", "t")
    heading, *rows = [line.split() for line in result.output.splitlines()]
    assert heading == ["RUN", "TASK", "STATE", "ATTEMPT", "OWNER", "SENT", "STARTED", "ENDED"]
    assert [row[0] for row in rows] == list(STATES)[::-1]
    assert {row[0]: row[2] for row in rows} == STATES


def test_a_listing_is_narrowed_by_state_and_owner(lives: Rig) -> None:
    found = told(lives, "list", "--state", "failed", "--state", "retrying")
    assert [each["id"] for each in found["runs"]] == ["parked", "broken"]
    assert [each["id"] for each in told(lives, "list", "--owner", "u-late")["runs"]] == ["late"]
    assert tasks(lives, "list", "--owner", "nobody").output == "No runs.\n"


def test_a_listing_says_when_there_is_more(lives: Rig) -> None:
    found = told(lives, "list", "--limit", "1")
    assert ([each["id"] for each in found["runs"]], found["more"]) == (["planned"], True)
    assert "There are more" in tasks(lives, "list", "--limit", "1").output


def test_a_listing_covers_every_task_or_the_named_ones(lives: Rig) -> None:
    lives.protocol.submit(request("other", task="removed", created=lives.clock.now))
    assert told(lives, "list", "--limit", "1")["runs"][0]["task"] == "removed"
    assert told(lives, "list", "--limit", "1", "--task", "t")["runs"][0]["task"] == "t"


def test_a_task_that_is_not_there_is_one_line_with_near_matches(lives: Rig) -> None:
    result = tasks(lives, "list", "--task", "run_workflo")
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "no task 'run_workflo': choose one of" in result.output
    assert "run_workflow" in result.output


def test_a_failed_run_is_shown_with_its_error_log_and_traceback(lives: Rig) -> None:
    output = tasks(lives, "show", "broken").output
    for wanted in (
        "task       t (pool cpu)",
        "state      failed",
        "owner      u-broken",
        'args       ["broken"]',
        'meta       {"step": "broken"}',
        "error      LookupError: no such [red]colour",
        "told to be broken",
        'raise LookupError("no such [red]colour")',
    ):
        assert wanted in output


def test_a_run_that_waits_for_its_next_attempt_is_shown_with_the_last_one(lives: Rig) -> None:
    output = tasks(lives, "show", "parked").output
    assert "state      retrying" in output
    assert "attempt    1, ended as retry" in output
    assert "due  " in output


def test_a_run_in_progress_is_shown_with_its_worker(lives: Rig) -> None:
    lives.protocol.revoke("held")
    output = tasks(lives, "show", "held").output
    assert "state      started, asked to stop at 20" in output
    assert "worker     holder-1" in output


def test_long_values_are_shortened_but_not_as_json_and_move_no_cursor(lives: Rig) -> None:
    long = "\x1b[31m" + "x" * 1000
    lives.protocol.submit(request("long", args=[long]))
    output = tasks(lives, "show", "long").output
    assert "characters; --json shows all)" in output
    assert "\x1b" not in output
    assert max(map(len, output.splitlines())) < 600
    assert told(lives, "show", "long")["args"] == [long]


@pytest.mark.parametrize("command", ["show", "revoke", "retry"])
def test_an_unknown_run_is_one_line_and_exits_with_1(lives: Rig, command: str) -> None:
    result = tasks(lives, command, "no\x1bbody")
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert result.output.startswith("Error: There is no run 'no")
    assert "\x1b" not in result.output


def test_stats_count_runs_by_task_and_name_pools_and_workers(lives: Rig) -> None:
    bell = Doorbell(data_of(lives) / "bells", "holder-1")
    output = tasks(lives, "stats", "--task", "t").output
    found = told(lives, "stats", "--task", "t")
    bell.close()

    lines = [line.split() for line in output.splitlines()]
    assert lines[0][:9] == ["TASK", *(state.value.upper() for state in State)]
    assert lines[1][:9] == ["t", *["1"] * 8]
    assert ["holder-1", "starting", "held"] in lines
    assert "sent in the last 24 hours" in output
    assert found["tasks"][0]["task"] == "t"
    assert found["pools"][0]["waiting"] == 1
    assert found["workers"] == [{"name": "holder-1", "ready": False, "run": "held"}]


def test_stats_without_a_worker_say_so_and_cover_the_span_asked_for(lives: Rig) -> None:
    result = tasks(lives, "stats", "--task", "t", "--hours", "0.001")
    assert "No worker runs here." in result.output
    assert "sent in the last 0.001 hours" in result.output
    assert told(lives, "stats", "--task", "t", "--hours", "0.001")["tasks"][0]["failed"] == 0


def test_runs_are_revoked_and_those_that_have_ended_stay(lives: Rig) -> None:
    result = tasks(lives, "revoke", "waiting", "held", "done", "stopped", "waiting")
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "Run waiting is revoked.",
        "Run held is being stopped.",
        "Run done had already succeeded.",
        "Run stopped had already been revoked.",
    ]
    assert state_of(lives, "waiting") is State.REVOKED
    assert state_of(lives, "done") is State.SUCCEEDED


def test_an_unknown_run_among_others_does_not_save_them_from_being_revoked(lives: Rig) -> None:
    result = tasks(lives, "revoke", "nobody", "parked", "planned")
    assert result.exit_code == 1
    assert "There is no run 'nobody'" in result.output
    assert {state_of(lives, "parked"), state_of(lives, "planned")} == {State.REVOKED}


def test_the_members_of_a_group_are_shown_and_revoked_with_it(lives: Rig) -> None:
    lives.backend.lose_all()
    result = group(paint.s(), paint.s()).delay()
    execute(lives.backend.waiting.popitem()[1])
    assert f"child      {result.id}.1 (queued)" in tasks(lives, "show", result.id).output
    assert tasks(lives, "revoke", result.id).output == f"Run {result.id} is revoked.\n"
    children = told(lives, "show", result.id)["children"]
    assert children == [{"id": f"{result.id}.{n}", "state": "revoked"} for n in range(2)]


@pytest.mark.parametrize("run_id", ["broken", "stopped", "late"])
def test_what_did_not_end_well_is_sent_again_as_a_new_run(lives: Rig, run_id: str) -> None:
    result = tasks(lives, "retry", run_id)
    word, again, rest = result.output.strip().split(" ", 2)
    assert (word, rest) == ("Run", "is queued.")
    assert again != run_id
    job = lives.protocol.job(again)
    assert job is not None
    assert (job.task, job.args, job.owner) == ("t", [run_id], f"u-{run_id}")
    assert state_of(lives, run_id) is STATES[run_id]


@pytest.mark.parametrize("run_id", ["done", "held", "waiting", "parked", "planned"])
def test_what_has_succeeded_or_not_ended_is_not_sent_again(lives: Rig, run_id: str) -> None:
    result = tasks(lives, "retry", run_id)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert len(told(lives, "list", "--task", "t")["runs"]) == len(STATES)


def test_old_finished_runs_are_forgotten_once_that_is_confirmed(lives: Rig) -> None:
    lives.backend.lose_all()
    for run_id, days in (("old", 11), ("older", 30), ("young", 9)):
        created = lives.clock.now - days * DAY
        lives.protocol.submit(request(run_id, created=created, args=["done"]))
    lives.deliver_all()
    lives.store.delete("final:old")  # as the daily purge does

    asked = tasks(lives, "purge", "--older-than", "10", "--task", "t")
    assert asked.exit_code == 1
    assert "t: 2 runs" in asked.output
    assert state_of(lives, "old") is State.SUCCEEDED

    result = tasks(lives, "purge", "--older-than", "10", "--task", "t", "--yes")
    assert result.output.splitlines() == ["t: 2 runs", "Forgot 2 runs."]
    assert state_of(lives, "old") is None
    assert lives.archive.get("older") is None
    assert state_of(lives, "young") is State.SUCCEEDED
    assert "No finished run" in tasks(lives, "purge", "--older-than", "10", "--yes").output


def test_records_that_are_still_needed_cannot_be_purged(lives: Rig) -> None:
    result = tasks(lives, "purge", "--older-than", "2", "--yes")
    assert result.exit_code == 2
    assert "--older-than" in result.output


def test_the_schedule_shows_each_periodic_task_with_its_next_time(lives: Rig) -> None:
    from tasks.maintenance import tick  # noqa: PLC0415 - only here

    tick.apply_async(task_id=f"{tick.name}@90s-1")
    output = tasks(lives, "schedule", TICK_SECONDS="90").output
    found = {each["task"]: each for each in told(lives, "schedule")["tasks"]}
    (line,) = [line for line in output.splitlines() if line.startswith(tick.name)]
    assert "every 90 s" in line
    assert "queued" in line
    assert found[tick.name]["last"]["id"] == f"{tick.name}@90s-1"
    assert found["tasks.maintenance.purge"]["period"] == "17 3 * * * (UTC)"
    assert found["tasks.maintenance.purge"]["next"].endswith("03:17:00+00:00")


def test_a_command_leaves_no_runtime_behind(lives: Rig) -> None:
    tasks(lives, "list")
    with pytest.raises(NotConfigured):
        runtime()


def test_a_directory_without_records_is_one_line_and_stays_empty(tmp_path: Path) -> None:
    result = run("tasks", "list", DATA_DIR=str(tmp_path))
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert str(tmp_path) in result.output
    assert "--data" in result.output
    assert list(tmp_path.iterdir()) == []


def test_records_that_cannot_be_read_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "tasks.db").write_text("this is no database, whatever its name says " * 100)
    result = run("tasks", "stats", "--data", str(tmp_path))
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "cannot be used: file is not a database" in result.output
