"""Keys of callers: who is let in, for what, and with whose jobs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from flask.testing import FlaskClient

from settings import Settings
from tasks import keys
from tasks.keys import ADMIN, READ, WRITE
from tests.web.conftest import KEY
from tests.web.problems import places, problem
from tests.web.real_jobs import GRAPH, RealApi, real_api
from web import PUBLIC as OPEN
from web.keyring import Keyring
from web.scopes import SCOPES


def with_key(api: RealApi, secret: str) -> FlaskClient:
    client = api.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    return client


@pytest.fixture
def alice(real: RealApi) -> FlaskClient:
    return with_key(real, keys.create(owner="alice")[0])


def test_a_listing_holds_ones_own_jobs_only(real: RealApi, alice: FlaskClient) -> None:
    mine = real.submit(user_id="alice")
    real.submit(user_id="bob")
    real.submit()
    for query in ("", "?user_id=alice", "?status=queued"):
        assert [each["job_id"] for each in alice.get(f"/v1/jobs{query}").get_json()["jobs"]] == [
            mine
        ]
    assert alice.get("/v1/jobs?user_id=bob").json == {"jobs": [], "next": None}
    problem(alice.get("/v1/jobs?user_id=bob&after=x"), 400, "invalid_parameter")


@pytest.mark.parametrize("said", [{}, {"user_id": None}, {"user_id": "alice"}])
def test_what_a_bound_key_submits_is_its_users(alice: FlaskClient, said: dict[str, str]) -> None:
    answer = alice.post("/v1/jobs", json={"workflow": GRAPH, **said})
    assert (answer.status_code, answer.get_json()["user_id"]) == (202, "alice")


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/workflows/validate"])
def test_a_bound_key_cannot_submit_for_somebody_else(alice: FlaskClient, path: str) -> None:
    answer = alice.post(path, json={"workflow": GRAPH, "user_id": "bob"})
    assert places(problem(answer, 422, "invalid_request")) == ["/user_id"]


def test_an_output_of_somebody_else_is_no_input(real: RealApi, alice: FlaskClient) -> None:
    for owner in ({}, {"user_id": "bob"}):
        media = [{"name": "a", "job_id": real.submit(**owner), "filename": "a.png"}]
        answer = alice.post("/v1/jobs", json={"workflow": GRAPH, "media": media})
        assert places(problem(answer, 422, "media_unreachable")) == ["/media/0/job_id"]


def test_ones_own_outputs_are_found_without_saying_who_one_is(
    real: RealApi, alice: FlaskClient
) -> None:
    media = [{"name": "a", "job_id": real.submit(user_id="alice"), "filename": "a.png"}]
    answer = alice.post("/v1/jobs", json={"workflow": GRAPH, "media": media})
    # the job is found; it has no file yet
    assert places(problem(answer, 422, "media_unreachable")) == ["/media/0/filename"]


def test_idempotency_keys_are_each_callers_own_and_outlive_a_rotation(
    real: RealApi, alice: FlaskClient
) -> None:
    def send(client: FlaskClient) -> str:
        body, headers = {"workflow": GRAPH}, {"Idempotency-Key": "k"}
        return str(client.post("/v1/jobs", json=body, headers=headers).get_json()["job_id"])

    rotated = with_key(real, keys.create(owner="alice")[0])
    free = with_key(real, keys.create()[0])
    assert send(alice) == send(rotated)
    assert len({send(alice), send(free), send(real.client)}) == 3


def test_every_route_wants_a_scope_or_is_public_on_purpose(real: RealApi) -> None:
    endpoints = {rule.endpoint for rule in real.app.url_map.iter_rules()}
    undeclared = endpoints - SCOPES.keys() - {*OPEN}
    assert undeclared == set(), "give them a scope in web/scopes.py"
    assert endpoints >= SCOPES.keys()
    assert set(SCOPES.values()) == set(keys.SCOPES)
    assert not SCOPES.keys() & {*OPEN}


def test_a_route_without_a_scope_is_for_operators(settings: Settings) -> None:
    with real_api(settings) as api:
        api.app.add_url_rule("/forgotten", "forgotten", lambda: "")
        answer = with_key(api, keys.create()[0]).get("/forgotten")
        assert "admin" in problem(answer, 403, "insufficient_scope")["detail"]
        assert api.client.get("/forgotten").status_code == 200


@pytest.mark.parametrize("scope", [READ, WRITE, ADMIN])
def test_a_key_is_for_what_its_scopes_say(real: RealApi, scope: str) -> None:
    client = with_key(real, keys.create(scopes=[scope])[0])
    for rule in real.app.url_map.iter_rules():
        wanted = SCOPES.get(rule.endpoint)
        for method in (rule.methods or set()) & {"GET", "POST", "DELETE"} if wanted else ():
            path = rule.rule.replace("<job_id>", "x").replace("<name>", "x")
            answer = client.open(path, method=method)
            if wanted == scope:
                assert answer.status_code != 403
                continue
            assert wanted in problem(answer, 403, "insufficient_scope")["detail"]
            assert f'scope="{wanted}"' in answer.headers["WWW-Authenticate"]
            assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_a_key_may_come_in_either_header_but_not_two_keys(real: RealApi) -> None:
    stranger, secret = real.app.test_client(), keys.create()[0]
    bearer, plain = {"Authorization": f"Bearer {secret}"}, {"X-API-Key": secret}
    for headers in (bearer, plain, bearer | plain):
        assert stranger.get("/v1/jobs", headers=headers).status_code == 200
    for other in (f"Bearer {KEY}", f"Basic {secret}", "", secret):
        headers = plain | {"Authorization": other}
        problem(stranger.get("/v1/jobs", headers=headers), 400, "invalid_header")


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
@pytest.mark.parametrize(
    "change",
    [
        lambda key: key + "x",
        lambda key: key[:-1],
        lambda key: key.upper(),
        lambda key: f"{key} {key}",
        lambda key: f"{key},{key}",
        lambda key: f"é{key}",
        lambda key: f"{key}\xa0",
        lambda key: key[:11] + "_" * 43,
        lambda key: "ck_00000000" + key[11:],
        lambda key: "ck_:used:aa" + key[11:],
        lambda key: "\x80\xff",
        lambda key: "x" * 5000,
    ],
)
def test_what_is_no_good_key_is_refused(real: RealApi, header: str, change: object) -> None:
    assert callable(change)
    value = change(keys.create()[0])
    scheme = "Bearer " if header == "Authorization" else ""
    answer = real.app.test_client().get("/v1/jobs", headers={header: scheme + value})
    problem(answer, 401, "unauthorized")


def test_an_expired_and_a_revoked_key_are_refused(real: RealApi) -> None:
    secret, key = keys.create(days=1)
    ring = Keyring(KEY)
    now = key.created
    for later, good in ((0, True), (keys.DAY - 1, True), (keys.DAY, False)):
        then = replace(ring, clock=partial(float, now + later))
        assert (then.rights(secret) is not None) is good
    keys.revoke(key.id)
    problem(with_key(real, secret).get("/v1/jobs"), 401, "unauthorized")
