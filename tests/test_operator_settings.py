"""The settings of logs, metrics and browsers: what is accepted, and what is refused how."""

from __future__ import annotations

import pytest

from settings import SETTINGS, Settings, SettingsError


def refused(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environ)
    return str(caught.value)


def test_metrics_are_kept_from_strangers_unless_told_otherwise() -> None:
    assert Settings().metrics_public is False
    assert Settings.from_environment({"METRICS_PUBLIC": "True"}).metrics_public is True
    assert Settings.from_environment({"METRICS_PUBLIC": "false"}).metrics_public is False


def test_a_flag_is_written_as_it_is_read() -> None:
    (setting,) = (each for each in SETTINGS if each.name == "METRICS_PUBLIC")
    assert setting.written(setting.default) == "false"
    assert setting.show(Settings(metrics_public=True)) == "true"


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("METRICS_PUBLIC", "yes", "must be true or false"),
        ("LOG_FORMAT", "xml", "must be text or json"),
        ("LOG_LEVEL", "loud", "must be debug, info, warning or error"),
        ("READY_MAX_QUEUED", "0", "must be a whole number of jobs from 1 to 100000"),
    ],
)
def test_other_values_are_refused_with_the_rule(name: str, text: str, rule: str) -> None:
    assert refused(**{name: text}).startswith(f"{name}={text}: {rule}; remove it to ")


def test_origins_are_read_one_by_one() -> None:
    text = "https://app.example.com, http://localhost:3000,http://[::1]:8080"
    found = Settings.from_environment({"CORS_ORIGINS": text}).cors_origins
    assert found == ("https://app.example.com", "http://localhost:3000", "http://[::1]:8080")
    assert Settings().cors_origins == ()


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "null",
        "https://*.example.com",
        "app.example.com",
        "https://app.example.com/",
        "https://App.example.com",
        "https://app.example.com:443",
        "http://app.example.com:80",
        "ftp://app.example.com",
        "https://user@app.example.com",
        "https://a.example.com https://b.example.com",
        "https://app.example.com,",
        "https://app.example.com:0",
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused(text: str) -> None:
    assert "must be origins such as https://app.example.com" in refused(CORS_ORIGINS=text)


def test_a_port_that_does_not_go_without_saying_is_part_of_an_origin() -> None:
    text = "https://a.example.com:80,http://a.example.com:443,http://a.example.com:8080"
    assert len(Settings.from_environment({"CORS_ORIGINS": text}).cors_origins) == 3
