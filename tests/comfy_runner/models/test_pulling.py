"""Fetching models: what is asked of servers, and what lies on the disk afterwards."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from comfy_runner.models import ModelsError, PullFailed, plan, pull
from comfy_runner.models.manifest import OWN
from tests.comfy_runner.models.entries import WEIGHTS, access, at_url, in_repo, under_their_names
from tests.comfy_runner.models.hub import COMMIT, TOKEN, Fault, Hub
from tests.waiting import eventually


def test_a_model_is_fetched_at_the_commit_its_branch_is_now_and_lies_under_its_name(
    hub: Hub, tmp_path: Path
) -> None:
    told: list[str] = []
    done = pull([in_repo()], tmp_path, access=access(hub.url), report=told.append)
    assert [model.path for model in done.fetched] == ["checkpoints/model.safetensors"]
    assert (tmp_path / "checkpoints" / "model.safetensors").read_bytes() == WEIGHTS
    assert under_their_names(tmp_path) == {"checkpoints/model.safetensors"}
    assert [f"{r.method} {r.path}" for r in hub.requests] == [
        "HEAD /owner/name/resolve/main/model.safetensors",
        f"GET /owner/name/resolve/{COMMIT}/model.safetensors",
        "GET /storage/owner/name/model.safetensors?signature=secret",
    ]
    assert f'    to pin it, write: revision = "{COMMIT}"' in told


def test_only_the_last_part_of_a_path_in_a_repository_stays(hub: Hub, tmp_path: Path) -> None:
    pull([in_repo("split/vae.safetensors", folder="vae/sd")], tmp_path, access=access(hub.url))
    assert under_their_names(tmp_path) == {"vae/sd/vae.safetensors"}


def test_a_second_pull_asks_nobody_and_writes_nothing(hub: Hub, tmp_path: Path) -> None:
    models = [in_repo(), at_url(hub.storage("owner/name/model.safetensors"))]
    pull(models, tmp_path, access=access(hub.url))
    hub.requests.clear()
    notes = {path: path.stat().st_mtime_ns for path in (tmp_path / OWN).rglob("*.json")}
    done = pull(models, tmp_path, access=access("http://127.0.0.1:9"))
    assert len(done.present) == 2
    assert (done.fetched, hub.requests) == ((), [])
    assert {path: path.stat().st_mtime_ns for path in notes} == notes
    assert len(notes) == 2


def test_a_file_put_there_by_hand_is_kept_if_it_is_right(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "model.safetensors"
    path.parent.mkdir()
    path.write_bytes(WEIGHTS)
    pull([in_repo()], tmp_path, access=access(hub.url))
    assert hub.asked("GET") == []


def test_a_file_put_there_by_hand_is_replaced_if_it_is_another(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "model.safetensors"
    path.parent.mkdir()
    path.write_bytes(WEIGHTS[::-1])
    pull([in_repo()], tmp_path, access=access(hub.url))
    assert path.read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("content", "silent", "kept"),
    [(WEIGHTS[::-1], False, True), (b"short", False, False), (WEIGHTS[::-1], True, False)],
)
def test_where_only_the_size_is_known_it_decides_about_a_file_put_there_by_hand(
    hub: Hub, tmp_path: Path, content: bytes, silent: bool, kept: bool
) -> None:
    model = at_url(hub.storage("owner/name/model.safetensors"))
    path = tmp_path / model.path
    path.parent.mkdir()
    path.write_bytes(content)
    hub.faults = [Fault(silent_on_length=silent, times=2)]
    pull([model], tmp_path, access=access(hub.url))
    assert path.read_bytes() == (content if kept else WEIGHTS)


def test_pinning_the_commit_that_is_there_fetches_nothing_again(hub: Hub, tmp_path: Path) -> None:
    pull([in_repo()], tmp_path, access=access(hub.url))
    hub.requests.clear()
    pull([in_repo(revision=COMMIT)], tmp_path, access=access(hub.url))
    pull([in_repo(revision=COMMIT)], tmp_path, access=access(hub.url))
    assert [r.method for r in hub.requests] == ["HEAD"]


def test_a_checksum_that_is_there_already_is_enough_even_without_a_server(tmp_path: Path) -> None:
    path = tmp_path / "loras" / "lora.safetensors"
    path.parent.mkdir()
    path.write_bytes(WEIGHTS)
    wanted = at_url("http://127.0.0.1:9/x", sha256=hashlib.sha256(WEIGHTS).hexdigest())
    assert plan([wanted], tmp_path).present == (wanted,)


def test_a_token_goes_to_the_hub_and_not_to_its_storage(hub: Hub, tmp_path: Path) -> None:
    hub.gated.add("owner/name")
    pull([in_repo()], tmp_path, access=access(hub.url, TOKEN))
    sent = {r.path.split("/")[1]: r.headers.get("authorization") for r in hub.requests}
    assert sent == {"owner": f"Bearer {TOKEN}", "storage": None}


def test_progress_ends_at_the_size_and_a_volume_is_committed_after_each_file(
    hub: Hub, tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int | None]] = []
    commits: list[set[str]] = []
    pull(
        [in_repo(), in_repo("split/vae.safetensors", folder="vae")],
        tmp_path,
        access=access(hub.url),
        progress=lambda model, size, whole: seen.append((model.path, size, whole)),
        kept=lambda: commits.append(under_their_names(tmp_path)),
    )
    assert seen[-1] == ("vae/vae.safetensors", 3, 3)
    assert ("checkpoints/model.safetensors", len(WEIGHTS), len(WEIGHTS)) in seen
    assert [len(each) for each in commits] == [1, 2]


def test_a_disk_too_small_for_all_is_found_before_the_first_byte(hub: Hub, tmp_path: Path) -> None:
    room = 256 * 1024 * 1024 + len(WEIGHTS) - 1
    with pytest.raises(ModelsError, match=r"has 268\.8 MB free and 268\.8 MB are needed.*room"):
        pull([in_repo()], tmp_path, access=access(hub.url), free=lambda _: room)
    assert hub.asked("GET") == []
    pull([in_repo()], tmp_path, access=access(hub.url), free=lambda _: room + 1)


def test_one_model_that_cannot_be_had_does_not_keep_the_others_away(
    hub: Hub, tmp_path: Path
) -> None:
    models = [in_repo("gone.pt"), in_repo(), in_repo(repo="owner/no", folder="vae")]
    with pytest.raises(PullFailed) as caught:
        pull(models, tmp_path, access=access(hub.url))
    assert under_their_names(tmp_path) == {"checkpoints/model.safetensors"}
    assert [problem.split(" ")[0] for problem in caught.value.problems] == [
        "checkpoints/gone.pt",
        "vae/model.safetensors",
    ]


@pytest.mark.parametrize("path", ["../x/y.pt", "/abs/y.pt", ".pull/y.pt", "a\\b/y.pt"])
def test_no_model_leads_out_of_the_directory(tmp_path: Path, path: str) -> None:
    folder, _, file = path.rpartition("/")
    with pytest.raises(ModelsError, match="is no place for a model"):
        plan([in_repo(file, folder=folder)], tmp_path)


def test_two_entries_that_want_to_be_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelsError, match=r"two models want to be checkpoints/model\.safetensors"):
        plan([in_repo(), in_repo("other/model.safetensors")], tmp_path)


def test_a_second_pull_waits_for_the_first(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / OWN).mkdir()
    told: list[str] = []
    second = threading.Thread(
        target=lambda: pull([in_repo()], tmp_path, access=access(hub.url), report=told.append)
    )
    with (tmp_path / OWN / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second.start()
        eventually(lambda: any("waiting for it to end" in line for line in told))
        assert hub.requests == []
    second.join(30)
    assert under_their_names(tmp_path) == {"checkpoints/model.safetensors"}


def test_two_processes_that_pull_at_once_fetch_the_file_once(hub: Hub, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from apps import Model;"
        "from comfy_runner.models import Access, pull;"
        "m = Model(folder='checkpoints', file='model.safetensors', repo='owner/name');"
        "pull([m], Path(sys.argv[1]), access=Access(endpoint=sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path), hub.url]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [each.wait(60) for each in both] == [0, 0]
    assert len(hub.asked("GET", "/storage/")) == 1
    assert (tmp_path / "checkpoints" / "model.safetensors").read_bytes() == WEIGHTS
