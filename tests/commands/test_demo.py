"""The demonstration, with everything but ComfyUI."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest

from commands.demo import run_demo
from settings import Settings
from tests.commands.support import BROKEN, DONE, RUNNING, FakeApi, FakeCluster, parts


def test_the_demo_ends_with_a_picture_on_disk_and_says_what_to_try(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = FakeCluster()
    api = FakeApi(RUNNING, DONE)
    known = Settings(api_key="k", data_dir=tmp_path / "data")
    run_demo(known, tmp_path / "out", replace(parts(cluster), application=lambda _: api.app))
    told = capsys.readouterr().out
    assert f"Your picture: {tmp_path / 'out' / 'a.png'}" in told
    assert "python manage.py submit text_to_image --set 5.seed=7" in told
    assert (tmp_path / "out" / "a.png").read_bytes() == b"PNG"
    assert cluster.history == ["started", "stopped"]


def test_a_demo_whose_job_fails_says_why_and_stops_everything(tmp_path: Path) -> None:
    cluster = FakeCluster()
    api = FakeApi({"status": "failed", "error": BROKEN})
    known = Settings(api_key="k", data_dir=tmp_path / "data")
    with pytest.raises(click.ClickException, match="no such seed"):
        run_demo(known, tmp_path, replace(parts(cluster), application=lambda _: api.app))
    assert cluster.history == ["started", "stopped"]


def test_the_demo_leaves_the_data_of_a_service_alone(tmp_path: Path) -> None:
    run_demo(Settings(api_key="k", data_dir=tmp_path), tmp_path / "out", parts(FakeCluster()))
    assert {each.name for each in tmp_path.iterdir()} <= {"demo", "out"}
