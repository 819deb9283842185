"""What our node pack tells of ComfyUI, by itself and inside the real one."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import comfy_runner

PACK = Path(comfy_runner.__file__).parent / "companion" / "comfyui_jobs" / "__init__.py"


def load() -> ModuleType:
    """Load the pack as ComfyUI does, where there is no ComfyUI."""
    spec = importlib.util.spec_from_file_location("pack_under_test", PACK)
    assert spec is not None
    assert spec.loader is not None
    pack = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pack)
    return pack


@pytest.fixture(scope="module")
def pack() -> ModuleType:
    return load()


def of(**inputs: Any) -> Any:
    """Return a node class with these inputs."""
    return staticmethod(lambda: {"required": inputs})


class AnyType(str):
    __slots__ = ()

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


class StarType(str):
    """As ComfyUI's own names of types compare themselves."""

    __slots__ = ()

    def __ne__(self, other: object) -> bool:
        return other != "*"

    __hash__ = str.__hash__


class Endless(tuple[str, ...]):
    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        return AnyType("*")


class Plain:
    RETURN_TYPES = ("IMAGE",)
    INPUT_TYPES = of(image=("IMAGE",), choice=(["a"], {}))


class Odd:
    RETURN_TYPES = ("IMAGE", AnyType("*"), StarType("MASK"), ("a",))
    INPUT_TYPES = of(anything=(AnyType("*"),), star=(StarType("INT"),), choice=(("a", "b"), {}))


class Unending:
    RETURN_TYPES = Endless(("*",))
    INPUT_TYPES = of()


class Broken:
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> Any:  # noqa: N802 (ComfyUI's name)
        raise OSError("no such directory")


class Bare:
    RETURN_TYPES = None
    INPUT_TYPES = of(odd=(), worse=5)


def test_without_comfyui_it_says_so_and_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    assert load().NODE_CLASS_MAPPINGS == {}
    assert "comfyui_jobs: not available in this ComfyUI" in caplog.text


def test_types_that_json_does_not_show_are_told(pack: ModuleType) -> None:
    classes = {each.__name__: each for each in (Plain, Odd, Unending, Broken, Bare)}

    assert pack.typing(classes) == {
        "Odd": {
            "inputs": {"anything": "any", "star": "star", "choice": "tuple"},
            "outputs": {"1": "any", "2": "star", "3": "tuple"},
        },
        "Unending": {"outputs": {"0": "any"}, "endless": True},
    }


def test_the_inputs_that_a_class_checks_itself_are_told(pack: ModuleType) -> None:
    class ChecksOne:
        @classmethod
        def VALIDATE_INPUTS(cls, image: str) -> bool:  # noqa: N802 (ComfyUI's name)
            return bool(image)

    class ChecksAll:
        @classmethod
        def VALIDATE_INPUTS(cls, input_types: Any, **_rest: Any) -> bool:  # noqa: N802
            return bool(input_types)

    class ChecksSomehow:
        VALIDATE_INPUTS = max  # has no signature

    each = (Plain, ChecksOne, ChecksAll, ChecksSomehow)
    classes = {node.__name__: node for node in each}
    told = pack.validators(classes)
    assert told == {
        "ChecksOne": ["cls", "image"],
        "ChecksAll": ["cls", "input_types", "*"],
        "ChecksSomehow": ["*"],
    }


def test_what_this_version_cannot_be_asked_is_left_out(pack: ModuleType) -> None:
    classes: dict[str, type] = {"Plain": Plain}

    assert asyncio.run(pack.rules(classes)) == {}
    assert classes == {"Plain": Plain}


def test_the_state_names_the_prompts_that_run(pack: ModuleType) -> None:
    queue = SimpleNamespace(currently_running={0: (3, "some-id", {}, {}, [])})

    assert pack.state(queue) == {"worker_alive": False, "running": ["some-id"]}
    assert pack.state(object())["running"] == []


@pytest.mark.parametrize("name", [None, "anything"])
def test_the_thread_that_runs_prompts_is_known_by_its_name_or_its_function(
    pack: ModuleType, name: str | None
) -> None:
    ended = threading.Event()

    def prompt_worker() -> None:
        ended.wait(30)

    thread = threading.Thread(target=prompt_worker, name=name, daemon=True)
    thread.start()
    try:
        assert pack.state(object())["worker_alive"] is True
    finally:
        ended.set()
        thread.join()
    assert pack.state(object())["worker_alive"] is False
