"""What is in a models directory, compared with what apps name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comfy_runner.models import Stray, look, pull, unused, verify
from tests.comfy_runner.models.entries import WEIGHTS, access, at_url, in_repo
from tests.comfy_runner.models.hub import Hub


@pytest.fixture
def pulled(hub: Hub, tmp_path: Path) -> Path:
    pull(
        [in_repo(), at_url(hub.storage("owner/name/split/vae.safetensors"))],
        tmp_path,
        access=access(hub.url),
    )
    return tmp_path


def states(found: tuple[object, ...]) -> list[str]:
    return [getattr(each, "state") for each in found]  # noqa: B009


def test_a_file_that_was_pulled_is_right(pulled: Path) -> None:
    assert states(look([in_repo()], pulled)) == states(verify([in_repo()], pulled)) == ["right"]
    assert look([in_repo()], pulled)[0].size == len(WEIGHTS)


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    assert states(look([in_repo()], tmp_path)) == states(verify([in_repo()], tmp_path))
    assert states(look([in_repo()], tmp_path)) == ["missing"]


def test_only_verify_finds_bytes_that_turned_while_size_and_time_stayed(
    hub: Hub, pulled: Path
) -> None:
    path = pulled / "checkpoints" / "model.safetensors"
    times = path.stat()
    path.write_bytes(b"X" + WEIGHTS[1:])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert states(look([in_repo()], pulled)) == ["right"]
    (found,) = verify([in_repo()], pulled)
    assert (found.state, "and should be" in found.fault) == ("wrong", True)
    assert states(look([in_repo()], pulled)) == ["wrong"]
    pull([in_repo()], pulled, access=access(hub.url))
    assert path.read_bytes() == WEIGHTS


def test_a_damaged_file_without_a_known_checksum_is_fetched_again_too(
    hub: Hub, pulled: Path
) -> None:
    model = at_url(hub.storage("owner/name/split/vae.safetensors"))
    (pulled / model.path).write_bytes(b"eav")
    assert states(verify([model], pulled)) == ["wrong"]
    pull([model], pulled, access=access(hub.url))
    assert (pulled / model.path).read_bytes() == b"vae"


def test_a_file_that_was_only_touched_is_right_without_a_server(pulled: Path) -> None:
    os.utime(pulled / "checkpoints" / "model.safetensors", (1, 1))
    assert states(look([in_repo()], pulled)) == ["wrong"]
    pull([in_repo()], pulled, access=access("http://127.0.0.1:9"))
    assert states(look([in_repo()], pulled)) == ["right"]


def test_a_file_put_there_by_hand_is_unchecked(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "model.safetensors").write_bytes(b"x")
    assert states(look([in_repo()], tmp_path)) == states(verify([in_repo()], tmp_path))
    assert states(look([in_repo()], tmp_path)) == ["unchecked"]


def test_what_no_app_names_is_listed_with_its_size(pulled: Path) -> None:
    (pulled / "loras" / "put_loras_here").write_text("")
    assert unused([in_repo()], pulled) == (Stray("loras/lora.safetensors", 3),)
