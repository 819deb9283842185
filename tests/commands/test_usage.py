"""What jobs have used, as a table and as JSON; and what one job took, in a line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Response, jsonify, request

from commands.took import took
from tests.commands.support import DONE, FakeApi, run, serving
from web.answers import Cost, Job

TIMINGS = {"waiting": 1.04, "wake": 0.0, "restore": None, "model_load": 8.0, "run": 2.25}
COST = {"gpu": "L40S", "gpu_seconds": 10.5, "usd": 0.00569}


class UsageApi(FakeApi):
    """Tells of these sums."""

    def __init__(self, *sums: dict[str, Any]) -> None:
        super().__init__()
        self.sums = sums
        self.app.add_url_rule("/v1/usage", view_func=self._usage)

    def _usage(self) -> Response:
        self.queries.append(request.query_string.decode())
        return jsonify(sums=self.sums, next=None)


def test_sums_are_a_table_with_a_total() -> None:
    ann = {"name": "[red]ann", "jobs": 2, "gpu_seconds": 20.04, "usd": 0.5}
    nobody = {"name": None, "jobs": 1, "gpu_seconds": 1.0, "usd": None}
    api = UsageApi(ann, nobody)
    with serving(api) as url:
        result = run(
            "usage", "--since", "2026-03-01", "--until", "2026-04-01", "--user", "x", url=url
        )
    assert [line.split() for line in result.output.splitlines()] == [
        ["USER", "JOBS", "GPU", "SECONDS", "USD"],
        ["[red]ann", "2", "20.0", "0.5000"],
        ["(none)", "1", "1.0"],
        ["total", "3", "21.0", "0.5000"],
    ]
    moments = "since=2026-03-01T00%3A00%3A00%2B00%3A00&until=2026-04-01T00%3A00%3A00%2B00%3A00"
    assert api.queries == [f"by=user&user_id=x&{moments}"]


def test_sums_are_json_for_programs() -> None:
    sums = {"name": "L40S", "jobs": 2, "gpu_seconds": 20.0, "usd": 0.5}
    with serving(UsageApi(sums)) as url:
        result = run("usage", "--by", "gpu", "--json", url=url)
    assert json.loads(result.output) == [sums]


def test_no_jobs_are_told_as_such() -> None:
    with serving(UsageApi()) as url:
        assert run("usage", url=url).output == "No jobs.\n"


def test_after_a_job_one_line_says_where_its_time_went() -> None:
    with serving(FakeApi(DONE | {"timings": TIMINGS, "cost": COST})) as url:
        submitted = run("submit", "graph.json", url=url)
        shown = run("jobs", "show", "a1", url=url)
    line = "Took 11.3 s: waiting 1.0, model load 8.0, run 2.2; 10.5 s of L40S, about 0.0057 USD."
    assert submitted.output.count(line) == 1
    assert line in shown.output


@pytest.mark.parametrize(
    ("job", "line"),
    [
        (Job("a", "completed"), ""),
        (Job("a", "completed", timings={"run": None}), ""),
        (Job("a", "completed", timings={"run": 0.01, "wake": 0.0}), "Took 0.0 s."),
        (
            Job("a", "completed", timings={"run": 1.0}, cost=Cost("CPU", 1.0)),
            "Took 1.0 s: run 1.0; 1.0 s of CPU.",
        ),
    ],
)
def test_what_is_not_known_is_not_said(job: Job, line: str) -> None:
    assert took(job) == line
