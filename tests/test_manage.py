"""The command line as a whole."""

from __future__ import annotations

from tests.commands.support import (
    run,
)


def test_a_bad_setting_is_one_line_and_no_traceback() -> None:
    result = run("settings", PORT="many")
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "PORT=many" in result.output


def test_settings_are_printed_without_secrets() -> None:
    result = run("settings", API_KEY="hush-hush", WORKERS="3")
    assert result.exit_code == 0
    assert "hush-hush" not in result.output
    line = next(line for line in result.output.splitlines() if line.startswith("WORKERS"))
    assert line.split()[:4] == ["WORKERS", "3", "1", "processes"]
