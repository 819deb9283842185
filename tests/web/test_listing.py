"""GET /v1/jobs: filters, pages, and queries that make no sense."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tasks.jobs import Status
from tests.web.memory_jobs import MemoryJobs, a_job
from tests.web.problems import problem


@pytest.fixture
def jobs() -> MemoryJobs:
    """Seven jobs, a second apart, of two users."""
    statuses = [*Status, Status.QUEUED, Status.COMPLETED]
    born = a_job().created_at
    return MemoryJobs(
        *(
            a_job(
                f"job-{n}",
                status=status,
                user_id=f"u{n % 2}",
                created_at=born + timedelta(seconds=n),
            )
            for n, status in enumerate(statuses)
        )
    )


def listed(client: FlaskClient, query: str) -> list[str]:
    response = client.get(f"/v1/jobs{query}")
    assert response.status_code == 200, response.text
    assert response.headers["Cache-Control"] == "no-store"
    return [job["job_id"] for job in response.get_json()["jobs"]]


def test_all_jobs_are_listed_newest_first(client: FlaskClient) -> None:
    assert listed(client, "") == [f"job-{n}" for n in reversed(range(7))]
    assert client.get("/v1/jobs").get_json()["next"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?status=failed", ["job-3"]),
        ("?status=queued", ["job-5", "job-0"]),
        ("?status=queued,failed", ["job-5", "job-3", "job-0"]),
        ("?status=queued&status=failed", ["job-5", "job-3", "job-0"]),
        ("?user_id=u0", ["job-6", "job-4", "job-2", "job-0"]),
        ("?user_id=u0&status=completed", ["job-6", "job-2"]),
        ("?user_id=nobody", []),
        ("?limit=2", ["job-6", "job-5"]),
        ("?created_after=2026-01-02T03:04:09.678901Z", ["job-6", "job-5", "job-4"]),
        ("?created_after=2026-01-02T03:04:09.678902Z", ["job-6", "job-5"]),
        ("?created_before=2026-01-02T03:04:07.678901Z", ["job-1", "job-0"]),
        ("?created_before=2026-01-02t05:04:07.678901%2B02:00", ["job-1", "job-0"]),
        ("?created_after=2026-01-02T03:04:07Z&created_before=2026-01-02T03:04:08Z", ["job-2"]),
        ("?limit=200&status=running", ["job-1"]),
    ],
)
def test_filters_narrow_the_list(client: FlaskClient, query: str, found: list[str]) -> None:
    assert listed(client, query) == found


def test_pages_follow_each_other_to_the_end(client: FlaskClient) -> None:
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    for _ in range(3):
        page = client.get("/v1/jobs", query_string=query).get_json()
        seen += [job["job_id"] for job in page["jobs"]]
        query["after"] = page["next"]
    assert seen == [f"job-{n}" for n in reversed(range(7))]
    assert query["after"] is None


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("?limit=0", "limit"),
        ("?limit=201", "limit"),
        ("?limit=-1", "limit"),
        ("?limit=ten", "limit"),
        ("?limit=", "limit"),
        ("?limit=1_0", "limit"),
        ("?limit=1.0", "limit"),
        ("?limit=1&limit=2", "limit"),
        (f"?limit={'9' * 5000}", "limit"),
        ("?status=done", "status"),
        ("?status=", "status"),
        ("?status=queued,", "status"),
        ("?status=QUEUED", "status"),
        ("?user_id=", "user_id"),
        ("?user_id=a%00b", "user_id"),
        ("?user_id=a&user_id=b", "user_id"),
        ("?created_after=yesterday", "created_after"),
        ("?created_after=", "created_after"),
        ("?created_after=2026-01-02", "created_after"),
        ("?created_after=2026-01-02T03:04:05", "created_after"),
        ("?created_after=2026-01-02 03:04:05Z", "created_after"),
        ("?created_after=2026-13-02T03:04:05Z", "created_after"),
        ("?created_after=2026-01-02T24:04:05Z", "created_after"),
        ("?created_after=0001-01-01T00:00:00%2B23:59", "created_after"),
        ("?created_after=2026-W01-1T03:04:05Z", "created_after"),
        (
            "?created_before=2026-01-02T03:04:05Z&created_before=2026-01-02T03:04:05Z",
            "created_before",
        ),
        ("?created_before=1767323045", "created_before"),
        ("?after=nonsense", "after"),
        ("?after=", "after"),
        ("?state=failed", "state"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_name(
    client: FlaskClient, query: str, parameter: str
) -> None:
    body = problem(client.get(f"/v1/jobs{query}"), 400, "invalid_parameter")
    assert [error["parameter"] for error in body["errors"]] == [parameter]
    assert parameter in body["detail"]


def test_every_wrong_parameter_is_named_at_once(client: FlaskClient) -> None:
    body = problem(client.get("/v1/jobs?limit=0&status=x&foo=1"), 400, "invalid_parameter")
    assert {error["parameter"] for error in body["errors"]} == {"limit", "status", "foo"}
    rules = {error["parameter"]: error["detail"] for error in body["errors"]}
    assert "from 1 to 200" in rules["limit"]
    assert "queued" in rules["status"]
