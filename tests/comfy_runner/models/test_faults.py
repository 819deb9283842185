"""What servers do wrong, and what is left on the disk and said about it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from comfy_runner.models import Access, ModelsError, PullFailed, pull
from comfy_runner.models.part import arriving
from tests.comfy_runner.models.entries import (
    QUICK,
    WEIGHTS,
    access,
    at_url,
    in_repo,
    under_their_names,
)
from tests.comfy_runner.models.hub import TOKEN, Fault, Hub

STORAGE = "/storage/"


def ranges(hub: Hub) -> list[str | None]:
    return [request.headers.get("range") for request in hub.asked("GET", STORAGE)]


def test_a_connection_cut_midway_is_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    hub.faults = [Fault(cut_after=100_000), Fault(cut_after=50_000)]
    pull([in_repo()], tmp_path, access=access(hub.url))
    assert (tmp_path / "checkpoints" / "model.safetensors").read_bytes() == WEIGHTS
    assert ranges(hub) == [None, "bytes=100000-", "bytes=150000-"]
    assert hub.sent_bytes == len(WEIGHTS)


def test_a_later_pull_goes_on_where_an_earlier_one_gave_up(hub: Hub, tmp_path: Path) -> None:
    hub.faults = [Fault(cut_after=100_000), Fault(cut_after=0, times=9)]
    with pytest.raises(PullFailed, match=r"3 times in a row; .*what has arrived is kept"):
        pull([in_repo()], tmp_path, access=access(hub.url))
    assert under_their_names(tmp_path) == set()
    hub.faults.clear()
    hub.requests.clear()
    told: list[str] = []
    pull([in_repo()], tmp_path, access=access(hub.url), report=told.append)
    assert ranges(hub) == ["bytes=100000-"]
    assert "1 model to fetch, 300.0 kB." in told
    assert (tmp_path / "checkpoints" / "model.safetensors").read_bytes() == WEIGHTS


def test_cuts_without_end_are_borne_while_each_answer_brings_enough(
    hub: Hub, tmp_path: Path
) -> None:
    hub.faults = [Fault(cut_after=40_000, times=8)]
    pull([in_repo()], tmp_path, access=access(hub.url))
    assert len(ranges(hub)) == 9


def test_a_server_that_ignores_ranges_sends_the_whole_and_it_is_right(
    hub: Hub, tmp_path: Path
) -> None:
    hub.faults = [Fault(cut_after=100_000), Fault(ignore_range=True)]
    pull([in_repo()], tmp_path, access=access(hub.url))
    assert len(ranges(hub)) == 2
    assert (tmp_path / "checkpoints" / "model.safetensors").read_bytes() == WEIGHTS


def test_a_server_that_drips_is_given_up_like_a_silent_one(hub: Hub, tmp_path: Path) -> None:
    hub.faults = [Fault(drip=True, times=9)]
    with pytest.raises(PullFailed, match="sends next to nothing, 3 times in a row"):
        pull([in_repo()], tmp_path, access=access(hub.url))
    assert under_their_names(tmp_path) == set()


def test_a_server_that_falls_silent_is_asked_for_the_rest(hub: Hub, tmp_path: Path) -> None:
    hub.faults = [Fault(silent=True)]
    hasty = Access(endpoint=hub.url, patience=replace(QUICK, silence=0.2))
    pull([in_repo()], tmp_path, access=hasty)
    assert ranges(hub) == [None, "bytes=10-"]


def test_a_server_that_is_overloaded_for_a_moment_is_asked_again(hub: Hub, tmp_path: Path) -> None:
    hub.away = 2
    hub.faults = [Fault(status=503), Fault(status=429)]
    pull([in_repo()], tmp_path, access=access(hub.url))
    assert under_their_names(tmp_path) == {"checkpoints/model.safetensors"}


def test_wrong_content_never_gets_its_name(hub: Hub, tmp_path: Path) -> None:
    right = hashlib.sha256(WEIGHTS).hexdigest()
    hub.etags["owner/name/model.safetensors"] = "0" * 64
    with pytest.raises(PullFailed, match=rf"its sha256 is {right}, and should be 0{{64}}"):
        pull([in_repo()], tmp_path, access=access(hub.url))
    assert under_their_names(tmp_path) == set()


def test_small_files_that_git_keeps_are_checked_by_its_own_id(hub: Hub, tmp_path: Path) -> None:
    hub.in_git.add("owner/name/split/vae.safetensors")
    small = in_repo("split/vae.safetensors", folder="vae")
    pull([small], tmp_path / "a", access=access(hub.url))
    assert under_their_names(tmp_path / "a") == {"vae/vae.safetensors"}
    hub.etags["owner/name/split/vae.safetensors"] = "0" * 40
    with pytest.raises(PullFailed, match="its git id is"):
        pull([small], tmp_path / "b", access=access(hub.url))
    assert under_their_names(tmp_path / "b") == set()


def test_a_manifest_that_contradicts_the_hub_is_told_before_gigabytes_come(
    hub: Hub, tmp_path: Path
) -> None:
    with pytest.raises(PullFailed, match="correct its `sha256` or its `revision`"):
        pull([in_repo(sha256="1" * 64)], tmp_path, access=access(hub.url))
    assert hub.asked("GET") == []


def test_a_damaged_rest_of_an_earlier_pull_is_fetched_anew(hub: Hub, tmp_path: Path) -> None:
    hub.faults = [Fault(cut_after=100_000), Fault(cut_after=0, times=3)]
    with pytest.raises(PullFailed):
        pull([in_repo()], tmp_path, access=access(hub.url))
    (rest,) = (tmp_path / ".pull" / "arriving").iterdir()
    rest.write_bytes(b"x" * 100_000)
    hub.faults.clear()
    told: list[str] = []
    pull([in_repo()], tmp_path, access=access(hub.url), report=told.append)
    assert any("was damaged" in line for line in told)
    assert (tmp_path / "checkpoints" / "model.safetensors").read_bytes() == WEIGHTS


def test_a_rest_longer_than_the_file_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    hub.faults = [Fault(cut_after=100_000), Fault(cut_after=0, times=3)]
    with pytest.raises(PullFailed):
        pull([in_repo()], tmp_path, access=access(hub.url))
    (rest,) = (tmp_path / ".pull" / "arriving").iterdir()
    rest.write_bytes(WEIGHTS + b"more")
    hub.faults.clear()
    pull([in_repo()], tmp_path, access=access(hub.url))
    assert (tmp_path / "checkpoints" / "model.safetensors").read_bytes() == WEIGHTS


def test_rests_of_another_content_are_removed(tmp_path: Path) -> None:
    for identity in ("old", "new"):
        with arriving(tmp_path, "vae/a.pt", identity) as part:
            part.write(b"begun")
    with arriving(tmp_path, "vae/b.pt", "other"):
        pass
    assert len(list((tmp_path / ".pull" / "arriving").iterdir())) == 2


def test_a_url_is_gone_on_with_only_while_its_etag_is_the_same(hub: Hub, tmp_path: Path) -> None:
    model = at_url(hub.storage("owner/name/model.safetensors"))
    hub.faults = [Fault(cut_after=0), Fault(cut_after=100_000), Fault(cut_after=0, times=3)]
    with pytest.raises(PullFailed, match="3 times in a row"):
        pull([model], tmp_path, access=access(hub.url))
    hub.faults.clear()
    hub.requests.clear()
    pull([model], tmp_path, access=access(hub.url))
    assert ranges(hub) == [None, "bytes=100000-"]
    assert hub.requests[-1].headers["if-range"].startswith('"')
    assert (tmp_path / "loras" / "lora.safetensors").read_bytes() == WEIGHTS


def test_a_url_that_changed_since_is_fetched_from_its_beginning(hub: Hub, tmp_path: Path) -> None:
    model = at_url(hub.storage("owner/name/model.safetensors"))
    hub.faults = [Fault(cut_after=0), Fault(cut_after=100_000), Fault(cut_after=0, times=3)]
    with pytest.raises(PullFailed):
        pull([model], tmp_path, access=access(hub.url))
    hub.faults.clear()
    hub.files["owner/name/model.safetensors"] = WEIGHTS[::-1]
    pull([model], tmp_path, access=access(hub.url))
    assert (tmp_path / "loras" / "lora.safetensors").read_bytes() == WEIGHTS[::-1]


def test_a_server_that_does_not_tell_the_length_is_believed_at_its_end(
    hub: Hub, tmp_path: Path
) -> None:
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    model = at_url(hub.storage("owner/name/model.safetensors"), sha256=sha256)
    hub.faults = [Fault(silent_on_length=True, times=2)]
    pull([model], tmp_path, access=access(hub.url))
    assert (tmp_path / "loras" / "lora.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize(("status", "told"), [(404, "correct the address"), (403, "an account")])
def test_a_url_that_is_refused_is_not_asked_again(
    hub: Hub, tmp_path: Path, status: int, told: str
) -> None:
    model = at_url(hub.storage("x") + "?token=secret")
    hub.faults = [Fault(status=status)]
    with pytest.raises(PullFailed, match=told) as caught:
        pull([model], tmp_path, access=access(hub.url))
    assert len(hub.requests) == 1
    assert "secret" not in str(caught.value)


def test_a_gated_repository_is_named_with_what_to_do(hub: Hub, tmp_path: Path) -> None:
    hub.gated.add("owner/name")
    with pytest.raises(PullFailed) as caught:
        pull([in_repo()], tmp_path, access=access(hub.url, "hf_another"))
    told = str(caught.value)
    assert "checkpoints/model.safetensors (of owner/name, model.safetensors)" in told
    assert "https://huggingface.co/owner/name" in told
    assert "HF_TOKEN" in told


def test_what_cannot_be_seen_may_be_private(hub: Hub, tmp_path: Path) -> None:
    hub.private.add("owner/name")
    with pytest.raises(PullFailed, match="no repository owner/name can be seen; correct its name"):
        pull([in_repo()], tmp_path, access=access(hub.url, "hf_another"))
    pull([in_repo()], tmp_path, access=access(hub.url, TOKEN))


def test_a_revision_that_is_not_there_is_named(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(PullFailed, match=r"owner/name has no revision 'v9'; see https://.*commit"):
        pull([in_repo(revision="v9")], tmp_path, access=access(hub.url))


def test_a_hub_that_is_away_is_told_after_a_few_tries(tmp_path: Path) -> None:
    with pytest.raises(PullFailed, match="the hub cannot be reached"):
        pull([in_repo()], tmp_path, access=access("http://127.0.0.1:9"))


NARROW = """
import resource, sys
from pathlib import Path
from apps import Model
from comfy_runner.models import Access, ModelsError, pull
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
model = Model(folder="checkpoints", file="model.safetensors", repo="owner/name")
try:
    pull([model], Path(sys.argv[1]), access=Access(endpoint=sys.argv[2]))
except ModelsError as error:
    sys.exit(str(error))
"""


def test_a_disk_that_is_full_midway_is_told_and_what_arrived_is_gone_on_with(
    hub: Hub, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", NARROW, str(tmp_path), hub.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "File too large" in done.stderr) == (1, True), done.stderr
    assert under_their_names(tmp_path) == set()
    hub.requests.clear()
    pull([in_repo()], tmp_path, access=access(hub.url))
    assert (tmp_path / "checkpoints" / "model.safetensors").read_bytes() == WEIGHTS
    assert ranges(hub) == ["bytes=150000-"]


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelsError, match=r"Not a directory: .*file"):
        pull([in_repo()], tmp_path / "file")
