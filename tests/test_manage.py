"""The command line as a whole."""

from __future__ import annotations

import manage
from tests.commands.support import PROJECT, run


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


def test_every_command_is_in_the_readme() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in manage.main.commands if f"manage.py {name}" not in readme]
    assert missing == []


def test_help_names_every_option_of_a_command() -> None:
    result = run("submit", "--help")
    wanted = ("--set", "--download", "--user", "--url", "--key", "--no-wait")
    assert [option for option in wanted if option not in result.output] == []
