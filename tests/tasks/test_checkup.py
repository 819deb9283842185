from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps import App, Model
from comfy_runner.bucket import LocalBucket
from comfy_runner.errors import StorageFailed
from settings import Settings
from tasks.checkup import Check, checks
from tests.tasks.framework.rig import Rig

APP = App(name="a", models=(Model(folder="vae", file="x.safetensors", repo="o/r"),))


class BrokenBucket(LocalBucket):
    """A bucket that takes nothing."""

    def put(self, key: str, path: Path, *, content_type: str, filename: str) -> None:
        raise StorageFailed("Access Denied")


@pytest.fixture(autouse=True)
def rig() -> Iterator[Rig]:
    with Rig().configured() as rig:
        yield rig


@pytest.fixture
def models(tmp_path: Path) -> Path:
    file = tmp_path / "models" / "vae" / "x.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    return tmp_path / "models"


def found(tmp_path: Path, models: Path, **changes: object) -> dict[str, Check]:
    bucket = changes.get("bucket") or LocalBucket(tmp_path / "files", b"k" * 32)
    chosen = changes.get("settings") or Settings(api_key="key")
    assert isinstance(bucket, LocalBucket)
    assert isinstance(chosen, Settings)
    told = checks(APP, chosen, bucket, models)
    return {check.name: check for check in told}


def test_an_app_that_has_everything_is_well(tmp_path: Path, models: Path) -> None:
    told = found(tmp_path, models)
    assert list(told) == ["secret comfyui-api-secret", "records", "bucket", "models"]
    assert all(check.well for check in told.values())
    assert not any(path.is_file() for path in (tmp_path / "files").rglob("*"))


def test_what_was_tried_leaves_no_record(rig: Rig, tmp_path: Path, models: Path) -> None:
    found(tmp_path, models)
    assert not list(rig.store.scan("checkup:"))


def test_a_missing_model_is_named_with_the_remedy(tmp_path: Path) -> None:
    check = found(tmp_path, tmp_path / "nothing")["models"]
    assert not check.well
    assert "vae/x.safetensors" in check.detail
    assert "models pull" in check.detail


def test_a_missing_key_is_named_with_the_remedy(tmp_path: Path, models: Path) -> None:
    check = found(tmp_path, models, settings=Settings())["secret comfyui-api-secret"]
    assert str(check).startswith("NO  secret comfyui-api-secret: API_KEY is not in it")


def test_a_bucket_that_refuses_is_told_and_the_rest_still_looked_at(
    tmp_path: Path, models: Path
) -> None:
    told = found(tmp_path, models, bucket=BrokenBucket(tmp_path / "files", b"k" * 32))
    assert not told["bucket"].well
    assert "Access Denied" in told["bucket"].detail
    assert told["models"].well
