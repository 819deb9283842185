"""Who is let in."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from settings import Settings, SettingsError
from tests.web.conftest import KEY
from tests.web.problems import problem
from web.auth import api_key

PRIVATE = [
    ("GET", "/v1/jobs"),
    ("POST", "/v1/jobs"),
    ("OPTIONS", "/v1/jobs"),
    ("GET", "/v1/jobs/job-1"),
    ("DELETE", "/v1/jobs/job-1"),
    ("GET", "/no/such/path"),
    ("GET", "/files"),
    ("GET", "/health/more"),
]


@pytest.mark.parametrize(("method", "path"), PRIVATE)
def test_without_a_key_nothing_is_told(stranger: FlaskClient, method: str, path: str) -> None:
    response = stranger.open(path, method=method)
    body = problem(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert "Authorization: Bearer" in body["detail"]


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        "Bearer wrong",
        f"Bearer {KEY.upper()}",
        "Bearer é\xff",
    ],
)
def test_a_wrong_key_is_refused(stranger: FlaskClient, header: str) -> None:
    response = stranger.get("/v1/jobs", headers={"Authorization": header})
    body = problem(response, 401, "unauthorized")
    assert "invalid_token" in response.headers["WWW-Authenticate"]
    assert KEY not in body["detail"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", KEY, f"Basic {KEY}", "Basic dTpw"])
def test_what_is_not_a_bearer_token_is_refused(stranger: FlaskClient, header: str) -> None:
    problem(stranger.get("/v1/jobs", headers={"Authorization": header}), 401, "unauthorized")


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer {KEY}", f"BEARER   {KEY} "])
def test_the_right_key_is_let_in(stranger: FlaskClient, header: str) -> None:
    assert stranger.get("/v1/jobs", headers={"Authorization": header}).status_code == 200


def test_a_key_in_the_query_does_not_count(stranger: FlaskClient) -> None:
    problem(stranger.get(f"/v1/jobs?api_key={KEY}"), 401, "unauthorized")


def test_a_configured_key_is_used_and_not_kept(tmp_path: Path) -> None:
    settings = Settings(api_key="configured", data_dir=tmp_path)
    assert api_key(settings) == "configured"
    assert list(tmp_path.iterdir()) == []


def test_without_one_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "deep" / "data")
    key = api_key(settings)
    assert len(key) > 40
    assert api_key(settings) == key
    kept = settings.data_dir / "api_key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert [each.name for each in settings.data_dir.iterdir()] == ["api_key"]


def test_two_deployments_have_different_keys(tmp_path: Path) -> None:
    keys = {api_key(Settings(data_dir=tmp_path / name)) for name in "ab"}
    assert len(keys) == 2


def test_whoever_asks_at_the_same_time_gets_the_same_key(tmp_path: Path) -> None:
    for round_ in range(20):
        settings = Settings(data_dir=tmp_path / str(round_))
        with ThreadPoolExecutor(8) as pool:
            keys = set(pool.map(lambda _, s=settings: api_key(s), range(8)))
        assert len(keys) == 1


def test_a_blank_key_file_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "api_key").write_text("\n", encoding="ascii")
    with pytest.raises(SettingsError, match="is blank; remove it to have a new key"):
        api_key(Settings(data_dir=tmp_path))


def test_a_data_directory_that_cannot_be_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(SettingsError, match="or set API_KEY"):
        api_key(Settings(data_dir=tmp_path / "file" / "data"))
