"""The commands that look after models, on app files and a hub of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import Result

import apps
from apps import App, Model
from comfy_runner.models import PullFailed
from commands.pulling import Lines, pull_for_modal
from tests.comfy_runner.models.entries import WEIGHTS, access, in_repo
from tests.comfy_runner.models.hub import COMMIT, Hub, running
from tests.commands.support import PROJECT, run

TEXT = '# An app of ours.\nname = "ours"\n\n[limits] # few\ngpu_max_containers = 1\n'


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running(Hub({"owner/name/deep/model.safetensors": WEIGHTS})) as started:
        yield started


@pytest.fixture
def app_file(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "apps" / "ours.toml"
    file.parent.mkdir()
    file.write_text(TEXT)
    with chdir(tmp_path):  # DATA_DIR is relative to it
        yield file


def models(app_file: Path, *arguments: str) -> Result:
    place = app_file.parent.parent / "models"
    return run("models", *arguments, "--app", str(app_file), MODELS_DIR=str(place))


def manage(hub: Hub, *arguments: str) -> str:
    """Run a command in a process of its own: the library learns of a hub when it is imported."""
    done = subprocess.run(
        [sys.executable, PROJECT / "manage.py", "models", *arguments],
        env={**os.environ, "HF_ENDPOINT": hub.url, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_model_is_added_pinned_then_fetched_and_checked(hub: Hub, app_file: Path) -> None:
    page = "https://huggingface.co/owner/name/blob/main/deep/model.safetensors"
    said = manage(hub, "add", page, "--folder", "checkpoints", "--app", str(app_file))
    assert f'+revision = "{COMMIT}"' in said
    assert "# An app of ours." in app_file.read_text()
    (model,) = apps.load(app_file).models
    assert (model.path, model.revision) == ("checkpoints/model.safetensors", COMMIT)
    assert model.sha256 is not None
    said = manage(hub, "pull", "--app", str(app_file))
    assert "400.0 kB of 400.0 kB, 100%" in said
    assert Path(".data/models/checkpoints/model.safetensors").read_bytes() == WEIGHTS
    assert {request.path.split("/")[1] for request in hub.requests} == {"owner", "storage"}
    assert " right " in manage(hub, "verify", "--app", str(app_file))


def test_the_list_tells_what_is_missing_and_what_no_app_beside_it_names(app_file: Path) -> None:
    two = app_file.with_name("two.toml")
    block = '[[models]]\nfolder = "vae"\nurl = "https://example.com/{0}"\nfile = "{0}"\n'
    app_file.write_text(f"{TEXT}\n{block.format('a.pt')}")
    two.write_text(f'name = "two"\n{block.format("b.pt")}')
    place = app_file.parent.parent / "models" / "vae"
    place.mkdir(parents=True)
    for name in ("b.pt", "c.pt"):
        (place / name).write_text("x")
    said = models(app_file, "list").stdout
    assert "vae/a.pt" in said
    assert " missing " in said
    assert "  vae/c.pt (1 bytes)" in said
    assert "vae/b.pt" not in said
    failed = models(app_file, "verify")
    assert failed.exit_code == 1
    assert f"`python manage.py models pull --app {app_file}` fetches them" in failed.output


def test_a_model_is_taken_out_by_its_name_and_its_file_stays(app_file: Path) -> None:
    address = "https://example.com/a.pt?x=1"
    added = models(app_file, "add", address, "--folder", "vae")
    assert '+url = "https://example.com/a.pt?x=1"' in added.output
    kept = app_file.parent.parent / "models" / "vae" / "a.pt"
    kept.parent.mkdir(parents=True)
    kept.write_text("x")
    said = models(app_file, "remove", "a.pt").output
    assert '-file = "a.pt"' in said
    assert "The file stays" in said
    assert kept.is_file()
    assert app_file.read_text() == TEXT
    failed = models(app_file, "remove", "a.pt")
    assert "there is no model a.pt; there are: none" in failed.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["x"], "name OWNER/REPOSITORY/PATH or an address"),
        (["https://example.com/download?id=1"], "give it with --file"),
        (["https://example.com/a.pt", "--sha256", "abc"], "stays as it is"),
    ],
)
def test_what_cannot_be_added_leaves_the_file_as_it_was(
    app_file: Path, arguments: list[str], told: str
) -> None:
    failed = models(app_file, "add", *arguments, "--folder", "vae")
    assert failed.exit_code != 0
    assert told in failed.output
    assert app_file.read_text() == TEXT
    assert sorted(each.name for each in app_file.parent.iterdir()) == ["ours.toml"]


def test_a_container_pulls_what_its_app_names_and_commits_each_file(
    hub: Hub, tmp_path: Path
) -> None:
    model = Model(folder="checkpoints", file="deep/model.safetensors", repo="owner/name")
    other = Model(folder="vae", file="theirs.pt", url="https://example.com/theirs.pt")
    (tmp_path / "vae").mkdir()
    for name in ("theirs.pt", "nobodys.pt"):
        (tmp_path / "vae" / name).write_text("x")
    commits: list[bool] = []
    options = {
        "directory": tmp_path,
        "kept": lambda: commits.append((tmp_path / model.path).is_file()),
        "report": lambda _: None,
        "others": [App(name="theirs", models=(other,)).to_json()],
        "access": access(hub.url),
    }
    ours = App(name="ours", models=(model,)).to_json()
    first, second = (pull_for_modal(ours, **options) for _ in range(2))  # type: ignore[arg-type] # mixed
    assert first == {"present": [], "fetched": [model.path], "unused": ["vae/nobodys.pt"]}
    assert second["present"] == [model.path]
    assert commits == [True]


def test_a_container_fails_with_what_it_could_not_have(hub: Hub, tmp_path: Path) -> None:
    gone = App(name="ours", models=(in_repo("gone.pt"),)).to_json()
    with pytest.raises(PullFailed, match="there is no such file"):
        pull_for_modal(gone, directory=tmp_path, access=access(hub.url), report=lambda _: None)


def test_a_line_is_told_for_every_tenth_of_a_file() -> None:
    told: list[str] = []
    lines = Lines(told.append)
    for size in range(0, 1001, 10):
        lines(in_repo(), size, 1000)
    assert len(told) == 10
    for size in range(0, 3 * 10**9, 10**8):
        lines(in_repo("other.pt"), size, None)
    assert told[10:] == ["    1.0 GB", "    2.0 GB"]
