"""Listing, showing and cancelling jobs."""

from __future__ import annotations

import json

from tests.commands.support import BROKEN, DONE, RUNNING, FakeApi, run, serving


def test_jobs_are_listed_in_a_table_that_keeps_whole_ids_and_brackets() -> None:
    api = FakeApi(RUNNING)
    with serving(api) as url:
        result = run(
            "jobs", "list", "--status", "running", "--user", "u1", "--limit", "3", url=url
        )
    heading, row = result.output.splitlines()
    assert heading.split() == ["JOB", "STATUS", "PROGRESS", "OUTPUTS", "USER", "CREATED"]
    assert row.split()[:4] == ["a1", "running", "40%", "[red]u1"]
    assert api.queries == ["status=running&user_id=u1&limit=3"]


def test_jobs_are_listed_as_json_for_programs() -> None:
    with serving(FakeApi(RUNNING)) as url:
        result = run("jobs", "list", "--json", url=url)
    assert json.loads(result.output)["jobs"][0]["status"] == "running"


def test_a_job_is_shown_with_its_error_and_outputs() -> None:
    with serving(FakeApi(DONE | {"error": BROKEN, "logs": ["[20:01:02] Job started"]})) as url:
        result = run("jobs", "show", "a1", url=url)
    assert "node_failed at node 3 (KSampler): no such seed" in result.output
    assert "/files/a.png" in result.output
    assert "Job started" in result.output
    assert "\x1b" not in result.output


def test_a_job_that_is_not_there_is_one_clear_line() -> None:
    with serving(FakeApi()) as url:
        result = run("jobs", "show", "zz", url=url)
    assert (result.exit_code, result.output) == (1, "Error: There is no job 'zz'. (HTTP 404)\n")


def test_the_log_of_a_job_is_printed_line_by_line() -> None:
    with serving(FakeApi()) as url:
        result = run("jobs", "logs", "a1", url=url)
    assert result.output == "[20:01:02] Job started\n\N{REPLACEMENT CHARACTER}[31mred\n"


def test_a_job_is_watched_to_its_end() -> None:
    with serving(FakeApi(RUNNING, DONE)) as url:
        result = run("jobs", "watch", "a1", url=url)
    assert result.exit_code == 0, result.output
    assert "running    40%  node 3" in result.output
    assert "completed 100%" in result.output
    assert "a.png: /files/a.png" in result.output


def test_watching_a_job_that_fails_fails_with_its_reason() -> None:
    with serving(FakeApi({"status": "failed", "error": BROKEN})) as url:
        result = run("jobs", "watch", "a1", url=url)
    assert result.exit_code == 1
    assert "Job a1 failed: node_failed at node 3 (KSampler): no such seed" in result.output


def test_a_job_is_sent_again_and_the_new_id_printed() -> None:
    with serving(FakeApi()) as url:
        result = run("jobs", "retry", "a1", url=url)
    assert result.output == "again-a1\n"


def test_ended_jobs_are_deleted_and_one_that_cannot_be_ends_it() -> None:
    api = FakeApi()
    with serving(api) as url:
        result = run("jobs", "purge", "a1", "zz", "a1", url=url)
    assert result.exit_code == 1
    assert result.output.startswith("Job a1 is deleted, with its files.\nError: There is no job")
    assert api.purged == ["a1"]


def test_a_job_is_cancelled() -> None:
    api = FakeApi(RUNNING)
    with serving(api) as url:
        result = run("jobs", "cancel", "a1", url=url)
    assert api.cancelled.is_set()
    assert result.output == "Job a1 is cancelled.\n"
