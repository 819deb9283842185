"""How a command finds its server and its key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from commands.connection import find_key
from settings import Settings
from tests.commands.support import FakeApi, run, serving


def test_a_server_that_is_not_there_is_named_with_the_remedy() -> None:
    result = run("jobs", "list", url="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert result.output.startswith("Error: No answer from http://127.0.0.1:9")
    assert "python manage.py serve" in result.output


def test_a_wrong_key_is_told_with_the_remedy() -> None:
    with serving(FakeApi()) as url:
        result = run("jobs", "list", "--key", "wrong", url=url)
    assert result.exit_code == 1
    assert "The key is wrong" in result.output
    assert "COMFYUI_API_KEY" in result.output


def test_the_key_is_the_configured_one_or_the_one_that_serve_wrote(tmp_path: Path) -> None:
    local, remote = "http://127.0.0.1:8000", "https://example.com"
    (tmp_path / "api_key").write_text("written\n")
    known = Settings(data_dir=tmp_path)
    assert find_key(known, local) == "written"
    assert find_key(known, remote) is None
    assert find_key(replace(known, api_key="server"), remote) == "server"
    assert find_key(replace(known, api_key="server", comfyui_api_key="mine"), local) == "mine"
    assert find_key(Settings(data_dir=tmp_path / "none"), local) is None
