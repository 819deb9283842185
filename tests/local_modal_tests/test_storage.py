"""Dicts, Volumes and Secrets through Modal's own client."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import modal
import pytest

from tests.local_modal import LocalModal

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture
def empty(fresh: LocalModal) -> Iterator[LocalModal]:
    with fresh.as_env_client():
        yield fresh


def new_dict(name: str = "jobs") -> modal.Dict:
    return modal.Dict.from_name(name, create_if_missing=True)


def test_a_key_is_put_once(empty: LocalModal) -> None:
    jobs = new_dict()
    assert [jobs.put("a", n, skip_if_exists=True) for n in (1, 2)] == [True, False]
    assert (jobs["a"], jobs.pop("a"), jobs.get("a")) == (1, 1, None)


def test_what_nobody_uses_for_seven_days_is_gone(empty: LocalModal) -> None:
    jobs = new_dict()
    uses: dict[str, Callable[[str], object]] = {
        "get": jobs.get,
        "contains": jobs.contains,
        "put": lambda key: jobs.put(key, 2),
        "put once": lambda key: jobs.put(key, 2, skip_if_exists=True),
        "list": lambda _: [*jobs.keys(), *jobs.values(), jobs.len()],
    }
    for key in uses:
        jobs.put(key, 1)
    empty.age_dicts(4)
    for key, use in uses.items():
        use(key)
    empty.age_dicts(4)
    assert sorted(jobs.keys()) == ["contains", "get", "put", "put once"]
    empty.age_dicts(7)
    assert jobs.len() == 0


def test_all_dicts_are_listed_however_many(empty: LocalModal) -> None:
    names = {f"jobs-{n}" for n in range(150)}
    for name in names:
        new_dict(name).len()
    assert {each.name for each in modal.Dict.objects.list()} == names


def test_a_dict_and_a_volume_that_nobody_has_made_are_not_found(empty: LocalModal) -> None:
    with pytest.raises(modal.exception.NotFoundError, match="Dict 'nope'"):
        modal.Dict.from_name("nope").len()
    with pytest.raises(modal.exception.NotFoundError, match="Volume 'nope'"):
        modal.Volume.from_name("nope").listdir("/")


@pytest.mark.parametrize("version", [1, 2])
def test_a_volume_holds_files(empty: LocalModal, version: int) -> None:
    volume = modal.Volume.from_name("models", create_if_missing=True, version=version)
    with volume.batch_upload() as batch:
        batch.put_file(io.BytesIO(b"weights"), "/checkpoints/tiny.safetensors")
    assert [each.path for each in volume.listdir("/checkpoints")] == [
        "checkpoints/tiny.safetensors"
    ]
    assert b"".join(volume.read_file("checkpoints/tiny.safetensors")) == b"weights"
    assert (empty.volume_dir("models") / "checkpoints/tiny.safetensors").read_bytes() == b"weights"
    volume.remove_file("checkpoints", recursive=True)
    assert volume.listdir("/") == []


def test_a_secret_is_not_made_twice(empty: LocalModal) -> None:
    modal.Secret.objects.create("new", {"KEY": "1"})
    with pytest.raises(modal.exception.AlreadyExistsError):
        modal.Secret.objects.create("new", {"KEY": "2"})
    assert empty.secrets["new"] == {"KEY": "1"}
