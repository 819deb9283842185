"""Which web pages may call the API."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from comfy_runner.bucket import Bucket
from settings import Settings
from tests.web.conftest import KEY
from tests.web.memory_jobs import MemoryJobs
from tests.web.problems import problem
from web import create_app

OURS = "https://app.example.com"
OTHERS = [
    "https://evil.example.com",
    "https://app.example.com.evil.com",
    "https://app.example.com:8443",
    "http://app.example.com",
    "https://APP.example.com",
    "null",
    "*",
    "",
]


@pytest.fixture
def page(settings: Settings, jobs: MemoryJobs, bucket: Bucket) -> FlaskClient:
    """A client without a key, of an API that allows two origins."""
    allowed = settings.replace(cors_origins=(OURS, "http://localhost:3000"))
    return create_app(allowed, jobs=jobs, bucket=bucket).test_client()


def preflight(client: FlaskClient, origin: str, path: str = "/v1/jobs") -> dict[str, str]:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    response = client.options(path, headers=asked)
    told = {name: text for name, text in response.headers if name.startswith("Access-Control")}
    return {"status": str(response.status_code), "vary": response.headers.get("Vary", ""), **told}


@pytest.mark.parametrize("origin", [OURS, "http://localhost:3000"])
@pytest.mark.parametrize("path", ["/v1/jobs", "/no/such/path"])
def test_an_allowed_page_may_ask_without_a_key_what_it_may_send(
    page: FlaskClient, origin: str, path: str
) -> None:
    told = preflight(page, origin, path)
    assert (told["status"], told["Access-Control-Allow-Origin"]) == ("204", origin)
    assert {"POST", "DELETE"} <= set(told["Access-Control-Allow-Methods"].split(", "))
    sent = set(told["Access-Control-Allow-Headers"].split(", "))
    assert {"Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"} <= sent
    assert told["Access-Control-Max-Age"] == "600"
    assert "Origin" in told["vary"]
    assert "Access-Control-Allow-Credentials" not in told


@pytest.mark.parametrize("origin", OTHERS)
def test_other_pages_hear_nothing(page: FlaskClient, origin: str) -> None:
    told = preflight(page, origin)
    assert told.pop("status") == "401"
    assert told.pop("vary") == "Origin"
    assert told == {}
    answer = page.get("/v1/jobs", headers={"Origin": origin, "Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    assert answer.headers["Vary"] == "Origin"


def test_an_allowed_page_may_read_answers_and_what_their_headers_say(page: FlaskClient) -> None:
    answer = page.get("/v1/jobs", headers={"Origin": OURS, "Authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    told = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert {"ETag", "Location", "Retry-After", "X-Request-Id", "Idempotency-Replayed"} <= told


def test_an_allowed_page_still_needs_the_key_and_may_read_the_refusal(page: FlaskClient) -> None:
    answer = page.get("/v1/jobs", headers={"Origin": OURS})
    problem(answer, 401, "unauthorized")
    assert answer.headers["Access-Control-Allow-Origin"] == OURS


def test_a_plain_options_request_is_no_preflight(page: FlaskClient) -> None:
    problem(page.options("/v1/jobs", headers={"Origin": OURS}), 401, "unauthorized")


def test_only_an_options_request_is_a_preflight(page: FlaskClient) -> None:
    asked = {"Origin": OURS, "Access-Control-Request-Method": "POST"}
    problem(page.get("/v1/jobs", headers=asked), 401, "unauthorized")


def test_by_default_no_page_is_allowed(stranger: FlaskClient) -> None:
    assert preflight(stranger, OURS) == {"status": "401", "vary": ""}
    assert "Vary" not in stranger.get("/health", headers={"Origin": OURS}).headers
