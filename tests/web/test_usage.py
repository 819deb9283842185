"""/v1/usage: what jobs have used, for whom it is, and as the client adds it up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from commands.http_server import listen, serve_http, url_of
from tasks import keys
from tasks.jobs.usage import MOST_JOBS
from tasks.keys import READ
from tasks.metering import SPELL
from tests.web.conftest import KEY
from tests.web.problems import problem
from tests.web.real_jobs import RealApi
from tests.web.told_api import Api
from web.answers import UsedBy
from web.client import JobsClient, UnexpectedAnswer


def spent(real: RealApi, user_id: str | None, seconds: float = 10.0) -> None:
    """Have a job end that used an L40S for so long, at a tenth of a dollar a second."""
    body = {} if user_id is None else {"user_id": user_id}
    claimed = real.start(real.submit(**body))
    spell = {"gpu": "L40S", "usd_per_second": 0.1, "spent": seconds, "began": 0.0, "until": 0.0}
    real.end(replace(claimed, run=replace(claimed.run, kept={SPELL: spell})))


def with_key(real: RealApi, secret: str) -> FlaskClient:
    client = real.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    return client


def test_users_are_told_with_seconds_and_dollars(real: RealApi) -> None:
    for user in ("ann", "ann", None):
        spent(real, user)
    assert real.client.get("/v1/usage").get_json() == {
        "sums": [
            {"name": "ann", "jobs": 2, "gpu_seconds": 20.0, "usd": 2.0},
            {"name": None, "jobs": 1, "gpu_seconds": 10.0, "usd": 1.0},
        ],
        "next": None,
    }
    told = real.client.get("/v1/usage?by=gpu&user_id=ann").get_json()["sums"]
    assert told == [{"name": "L40S", "jobs": 2, "gpu_seconds": 20.0, "usd": 2.0}]


def test_a_bound_key_sees_its_users_only(real: RealApi) -> None:
    spent(real, "ann")
    spent(real, "bob")
    bound = with_key(real, keys.create(owner="ann", scopes=[READ])[0])
    for query in ("", "?user_id=ann"):
        told = bound.get(f"/v1/usage{query}").get_json()["sums"]
        assert [each["name"] for each in told] == ["ann"]
    assert bound.get("/v1/usage?user_id=bob").get_json() == {"sums": [], "next": None}


@pytest.mark.parametrize(
    "query", ["by=week", "by=user&by=day", "since=yesterday", "after=x", "limit=3"]
)
def test_what_is_not_known_is_refused(real: RealApi, query: str) -> None:
    problem(real.client.get(f"/v1/usage?{query}"), 400, "invalid_parameter")


def test_the_client_adds_up_as_many_answers_as_there_are(real: RealApi) -> None:
    for number in range(MOST_JOBS + 3):
        spent(real, "ann" if number % 2 else None, seconds=1.0)
    with (
        listen("127.0.0.1", 0) as listening,
        serve_http(real.app, listening),
        JobsClient(url_of("127.0.0.1", listening), KEY) as client,
    ):
        ann, nobody = client.usage()
        assert (ann.name, ann.jobs, nobody.name, nobody.jobs) == ("ann", 101, None, 102)
        assert ann.gpu_seconds == 101.0
        assert ann.usd == pytest.approx(10.1)
        assert client.usage(since=datetime(2100, 1, 1, tzinfo=UTC)) == ()
        assert client.usage(until=datetime(2000, 1, 1, tzinfo=UTC), user_id="ann") == ()


def test_sums_of_a_name_are_put_together() -> None:
    unpriced = UsedBy("a", 1, 2.0)
    assert unpriced.plus(UsedBy("a", 2, 3.0, 0.5)) == UsedBy("a", 3, 5.0, 0.5)
    assert unpriced.plus(unpriced).usd is None


@pytest.mark.parametrize("answer", [{}, {"sums": [5]}, {"sums": {"a": 1}}])
def test_an_answer_without_sums_is_told_as_such(api: Api, answer: object) -> None:
    api.answers(answer)
    with JobsClient(api.url, KEY) as client, pytest.raises(UnexpectedAnswer):
        client.usage()
