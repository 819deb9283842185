"""Containers that are restored from one memory snapshot do not draw the same random numbers."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import requests

import comfy_runner
from comfy_runner.bucket import LocalBucket
from comfy_runner.installation import Installation
from comfy_runner.worker import ComfyWorker
from tests.comfy_runner.runs import POLICY

PACK = Path(comfy_runner.__file__).parent / "companion" / "comfyui_jobs" / "__init__.py"
DICE = Path(__file__).parent / "seed_nodes"


def pack() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pack_under_test", PACK)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_every_source_of_random_numbers_gets_a_seed() -> None:
    seeded: list[str] = []
    generator = SimpleNamespace(seed=lambda: seeded.append("numpy"))
    libraries = {
        "numpy": SimpleNamespace(random=generator),
        "torch": SimpleNamespace(seed=lambda: seeded.append("torch")),
    }
    random.seed(7)
    expected = random.random()
    random.seed(7)
    pack().reseed(libraries)
    assert random.random() != expected
    assert seeded == ["numpy", "torch"]


def test_what_is_not_loaded_needs_no_seed() -> None:
    pack().reseed({})


@pytest.mark.live
@pytest.mark.slow
def test_a_worker_draws_other_numbers_after_each_wake(
    installation: Installation, bucket: LocalBucket, tmp_path: Path
) -> None:
    places = tmp_path / "nodes.yaml"
    places.write_text(json.dumps({"test": {"custom_nodes": str(DICE)}}))
    arguments = ("--extra-model-paths-config", str(places))
    worker = ComfyWorker(
        installation, tmp_path / "worker", bucket, POLICY, arguments=arguments, snapshot=False
    )

    def restored(*, woken: bool) -> list[float]:
        requests.post(f"{worker.server.url}/dice/fix", timeout=10).raise_for_status()
        if woken:
            worker.wake()
        drawn: list[float] = requests.get(f"{worker.server.url}/dice", timeout=10).json()
        return drawn

    try:
        worker.boot()
        assert restored(woken=False) == restored(woken=False)
        first, second = restored(woken=True), restored(woken=True)
        for numbers in zip(restored(woken=False), first, second, strict=True):
            assert len(set(numbers)) == 3
    finally:
        worker.close()
