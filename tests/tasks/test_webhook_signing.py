"""Signatures that the official library accepts, and the secrets behind them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from standardwebhooks import Webhook as Oracle

from settings import Settings, SettingsError
from tasks.webhook_signing import secrets_of, signed


def test_the_example_of_the_specification_is_reproduced() -> None:
    headers = signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(
    body=some.text(),
    moment=some.floats(0, 4e9),
    keys=some.lists(some.binary(min_size=24, max_size=64), min_size=1, max_size=3),
)
def test_every_signature_is_that_of_the_official_library(
    body: str, moment: float, keys: list[bytes]
) -> None:
    secrets = ["whsec_" + base64.b64encode(key).decode() for key in keys]
    content = body.encode("utf-8", "replace")
    found = signed("msg_1", moment, content, secrets)["webhook-signature"].split(" ")
    at = datetime.fromtimestamp(int(moment), UTC)
    assert found == [Oracle(each).sign("msg_1", at, content.decode()) for each in secrets]


def test_a_secret_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    (made,) = secrets_of(None, tmp_path)
    assert secrets_of(None, tmp_path) == (made,)
    assert len(base64.b64decode(made.removeprefix("whsec_"))) == 32
    assert (tmp_path / "webhook_secret").stat().st_mode & 0o077 == 0
    assert secrets_of(None, tmp_path / "elsewhere") != (made,)


ONE, TWO = "whsec_" + "QUJD" * 8, "whsec_" + "QUJE" * 8


@pytest.mark.parametrize(
    ("configured", "found"),
    [(ONE, (ONE,)), (f"{ONE} {TWO}", (ONE, TWO)), (f" {TWO}, {ONE},", (TWO, ONE))],
)
def test_configured_secrets_are_taken_in_order(
    tmp_path: Path, configured: str, found: tuple[str, ...]
) -> None:
    settings = Settings.from_environment({"WEBHOOK_SECRET": configured})
    assert secrets_of(settings.webhook_secret, tmp_path) == found
    assert not (tmp_path / "webhook_secret").exists()
    assert "QUJD" not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        "secret",
        "whsec_",
        "whsec_QUJD",
        "whsec_%%%",
        "QUJD" * 8,
        f"{ONE} x",
        ",",
        "whsec_" + "QUJD" * 30,
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(SettingsError, match="openssl rand") as caught:
        Settings.from_environment({"WEBHOOK_SECRET": wrong})
    assert "QUJD" not in str(caught.value)
    assert "WEBHOOK_SECRET=(hidden)" in str(caught.value)
