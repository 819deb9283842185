"""Another user's job, through every route that there is: as unknown as one that never was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tasks import keys
from tests.web.problems import problem
from tests.web.real_jobs import RealApi
from tests.web.test_keys import with_key
from web.description.operations import OPERATIONS

QUERIES = {
    ("GET", "/v1/jobs/<job_id>"): ("?wait=1",),
    ("DELETE", "/v1/jobs/<job_id>"): ("?purge=true",),
}
"""What else a route of a job may be asked for, beside what it does unasked."""

NOT_OF_A_JOB = {"name", "key"}
"""What else varies in addresses: names of what all share, and keys of files, which are signed."""


def requests_for_a_job(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield each method, and each address with `{}` in the place of the job's id."""
    for rule in app.url_map.iter_rules():
        if "job_id" not in rule.arguments:
            continue
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            for query in ("", *QUERIES.get((method, rule.rule), ())):
                yield method, rule.rule.replace("<job_id>", "{}") + query


def all_headers() -> dict[str, str]:
    """Return every header that a route of a job looks at."""
    known = {"If-None-Match": 'W/"x"', "Last-Event-ID": "1", "Idempotency-Key": "k"}
    wanted = {name for each in OPERATIONS.values() for name in each.headers}
    assert wanted == known.keys(), "give the new header a value here"
    return known


@pytest.fixture
def alice(real: RealApi) -> FlaskClient:
    return with_key(real, keys.create(owner="alice")[0])


def test_a_job_of_somebody_else_is_as_unknown_as_none(real: RealApi, alice: FlaskClient) -> None:
    tried = list(requests_for_a_job(real.app))
    assert len(tried) >= 9
    for theirs in (real.finished(user_id="bob"), real.finished(), real.submit(user_id="bob")):
        before = real.client.get(f"/v1/jobs/{theirs}").get_json()
        for method, path in tried:
            for headers in ({}, all_headers()):
                refused = alice.open(path.format(theirs), method=method, headers=headers)
                unknown = alice.open(path.format("no-such"), method=method, headers=headers)
                assert told(refused, method) == told(unknown, method), (method, path)
        assert real.client.get(f"/v1/jobs/{theirs}").get_json() == before


def told(answer: TestResponse, method: str) -> dict[str, object]:
    """Return all of a refusal that could give something away."""
    shown = {key: value for key, value in answer.headers.items() if key != "X-Request-Id"}
    if method == "HEAD":
        assert answer.status_code == 404
        return {"headers": {**shown, "Content-Length": ""}}
    body = problem(answer, 404, "job_not_found")
    return {"headers": shown, "body": {**body, "request_id": ""}}


def test_ones_own_job_is_there_in_every_route(real: RealApi, alice: FlaskClient) -> None:
    for method, path in requests_for_a_job(real.app):
        mine = real.finished(user_id="alice")
        with alice.open(path.format(mine), method=method) as answer:
            assert answer.status_code in {200, 202, 204, 409}, (method, path)


def test_whatever_else_varies_in_an_address_is_nobodys(real: RealApi) -> None:
    """A new kind of address is looked at here by whoever adds it: whose is what it names?"""
    varying = {name for rule in real.app.url_map.iter_rules() for name in rule.arguments}
    assert varying - {"job_id"} == NOT_OF_A_JOB


def test_no_route_of_a_job_does_without_a_key(real: RealApi) -> None:
    stranger = real.app.test_client()
    job_id = real.finished(user_id="bob")
    for method, path in requests_for_a_job(real.app):
        assert stranger.open(path.format(job_id), method=method).status_code == 401, path
