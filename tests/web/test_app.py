"""The application as a whole: what it imports, and that it fits the real jobs."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import web
from settings import Settings
from tasks import embedded, framework
from tests.web.memory_jobs import MemoryJobs, a_job
from tests.web.problems import problem
from web import create_app

HEAVY = {"boto3", "botocore", "huggingface_hub", "modal", "torch", "websocket"}


def test_the_web_process_stays_light() -> None:
    code = "import json, sys, web; print(json.dumps([m.partition('.')[0] for m in sys.modules]))"
    root = Path(web.__file__).parent.parent
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert HEAVY & set(json.loads(found.stdout)) == set()


def test_answers_keep_the_documented_order(client: FlaskClient, jobs: MemoryJobs) -> None:
    jobs.kept["job-1"] = a_job()
    names = [name for name, _ in client.get("/v1/jobs/job-1").get_json().items()]
    assert names[:3] == ["job_id", "status", "progress"]


@pytest.fixture
def real(settings: Settings) -> Iterator[FlaskClient]:
    """A client of the API over the real jobs, which no worker takes up."""
    embedded.configure(settings)
    client = create_app(settings).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {settings.api_key}"
    yield client
    framework.configure(None)


def test_the_real_jobs_are_served_unless_told_otherwise(real: FlaskClient) -> None:
    body = {"workflow": {"1": {"class_type": "X", "inputs": {}}}, "user_id": "u1"}
    made = [real.post("/v1/jobs", json=body) for _ in range(3)]
    assert [each.status_code for each in made] == [202] * 3
    ids = [each.get_json()["job_id"] for each in made]
    first = real.get("/v1/jobs/" + ids[0]).get_json()
    assert (first["status"], first["user_id"]) == ("queued", "u1")
    assert real.delete("/v1/jobs/" + ids[0]).get_json()["status"] == "cancelled"
    assert real.delete("/v1/jobs/" + ids[0]).get_json()["status"] == "cancelled"
    page = real.get("/v1/jobs?limit=2&user_id=u1").get_json()
    rest = real.get("/v1/jobs", query_string={"limit": 2, "after": page["next"]}).get_json()
    assert [job["job_id"] for job in page["jobs"] + rest["jobs"]] == ids[::-1]
    assert rest["next"] is None
    assert len(real.get("/v1/jobs?status=queued").get_json()["jobs"]) == 2


def test_the_real_limit_is_per_user(real: FlaskClient, settings: Settings) -> None:
    body = {"workflow": {"1": {"class_type": "X", "inputs": {}}}, "user_id": "u1"}
    for _ in range(settings.max_active_jobs_per_user):
        assert real.post("/v1/jobs", json=body).status_code == 202
    problem(real.post("/v1/jobs", json=body), 429, "job_limit_reached")
    assert real.post("/v1/jobs", json=body | {"user_id": "u2"}).status_code == 202


@pytest.mark.parametrize("job_id", ["unknown", "job:x", "%00", "..", "a" * 64, "-", "_"])
def test_the_real_jobs_do_not_know_what_was_never_submitted(
    real: FlaskClient, job_id: str
) -> None:
    assert real.get(f"/v1/jobs/{job_id}").status_code == 404
    assert real.delete(f"/v1/jobs/{job_id}").status_code == 404


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    ["", "null", "[1]", '["x", "y"]', "[NaN, 1]", '[1e999, "a"]', '[1, "\\ud800"]', "[" * 140],
)
def test_a_made_up_cursor_is_refused_or_leads_nowhere(real: FlaskClient, text: str) -> None:
    response = real.get("/v1/jobs", query_string={"after": cursor(text)})
    assert response.status_code in {200, 400}
