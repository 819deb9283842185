"""How long a prompt loads models: by functions of our own, and in the real ComfyUI."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import comfy_runner
import workflows
from comfy_runner.bucket import LocalBucket
from comfy_runner.runner import Runner
from comfy_runner.server import ComfyServer
from comfy_runner.stopwatch import INPUTS, MODEL_LOAD, UPLOAD
from tests.comfy_runner.runs import EMPTY, POLICY, image, run_with

PACKS = Path(comfy_runner.__file__).parent / "companion"


@pytest.fixture(scope="module")
def loading() -> ModuleType:
    """Load the pack as ComfyUI does, where there is no ComfyUI."""
    file = PACKS / "comfyui_jobs_loading" / "__init__.py"
    spec = importlib.util.spec_from_file_location("loading_under_test", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(clock: Clock) -> Iterator[ModuleType]:
    """A module with functions that load, of which one uses the other; reading takes a second."""
    made: Any = ModuleType("engine_under_test")

    def read(name: str) -> str:
        clock.now += 1.0
        return name

    def load(name: str) -> str:
        clock.now += 2.0
        text: str = made.read(name)
        if name == "broken":
            raise OSError(text)
        return text

    made.read, made.load = read, load
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


PLACES = [("engine_under_test", name) for name in ("read", "load", "unknown")]


def test_a_load_inside_of_another_counts_once_and_its_result_is_passed_on(
    loading: ModuleType, engine: Any, clock: Clock
) -> None:
    told = loading.Loading(lambda: "p", clock)
    found = loading.install(told, PLACES)
    assert found == ["engine_under_test.read", "engine_under_test.load"]
    assert engine.load("m") == "m"
    assert told.seconds("p") == 3.0
    assert engine.read("n") == "n"
    assert (told.seconds("p"), told.seconds("another")) == (4.0, 0.0)


def test_a_load_that_fails_counts_and_those_behind_it_do_too(
    loading: ModuleType, engine: Any, clock: Clock
) -> None:
    told = loading.Loading(lambda: "p", clock)
    loading.install(told, PLACES)
    with pytest.raises(OSError, match="broken"):
        engine.load("broken")
    engine.load("m")
    assert told.seconds("p") == 6.0


def test_what_is_loaded_while_no_prompt_runs_belongs_to_nobody(
    loading: ModuleType, engine: Any, clock: Clock
) -> None:
    told = loading.Loading(lambda: None, clock)
    loading.install(told, PLACES)
    engine.load("m")
    assert told.seconds("None") == 0.0


def test_only_the_newest_prompts_are_remembered(
    loading: ModuleType, engine: Any, clock: Clock
) -> None:
    prompts = iter(range(loading.KEPT_PROMPTS + 1))
    told = loading.Loading(lambda: str(next(prompts)), clock)
    loading.install(told, [("engine_under_test", "read")])
    for _ in range(loading.KEPT_PROMPTS + 1):
        engine.read("m")
    assert (told.seconds("0"), told.seconds("1")) == (0.0, 1.0)


def test_without_comfyui_it_does_no_harm(loading: ModuleType) -> None:
    assert loading.NODE_CLASS_MAPPINGS == {}


@pytest.mark.live
@pytest.mark.slow
def test_only_a_run_that_loads_a_model_spends_time_on_it(
    server: ComfyServer, bucket: LocalBucket
) -> None:
    """The same model twice: it is read once, and the second run says so."""
    runner = Runner(server, bucket, POLICY)
    small = {"steps": 1, "width": 64, "height": 64}
    spent = []
    for seed in (1, 2):
        runner.stopwatch.reset()
        run_with(runner, workflows.filled("text_to_image", small | {"seed": seed}))
        spent.append(dict(runner.stopwatch.seconds))
    assert spent[0][MODEL_LOAD] > 5 * spent[1][MODEL_LOAD]
    runner.stopwatch.reset()
    run_with(runner, {"1": EMPTY, "2": image("1")})
    told = runner.stopwatch.seconds
    assert told[MODEL_LOAD] == 0.0
    assert set(told) == {INPUTS, MODEL_LOAD, UPLOAD}
