"""Bringing CUDA back: what has to be true for it, and what is computed anew."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from memory_snapshot_helper.hiding import Curtain
from memory_snapshot_helper.waking import NotAwake, wake
from tests.memory_snapshot_helper.small_torch import MEGABYTE, RAM, VRAM, Machine


class Hidden:
    """A ComfyUI that was started with CUDA hidden, on a machine that has got its GPU since."""

    def __init__(self, **management: Any) -> None:
        self.machine = Machine()
        self.curtain = Curtain()
        self.management = self.machine.management(**management)
        self.other = self.machine.management()
        self.flags: dict[str, bool] = {}
        seeds = self.machine.seeds
        self.files = SimpleNamespace(filename_list_cache={"vae": 1}, cache_helper={1: 2})
        queue = SimpleNamespace(set_flag=self.flags.__setitem__, get_flags=lambda reset: {})
        server = SimpleNamespace(instance=SimpleNamespace(prompt_queue=queue))
        self.modules: dict[str, Any] = {
            "torch": self.machine.torch,
            "comfy.model_management": self.management,
            "model_management": self.other,
            "folder_paths": self.files,
            "server": SimpleNamespace(PromptServer=server),
            "numpy": SimpleNamespace(
                random=SimpleNamespace(seed=lambda: seeds.append("numpy")),
            ),
        }
        self.curtain.hide(self.machine.torch)
        self.machine.gpu = True

    def wake(self) -> dict[str, Any]:
        return wake(self.curtain, self.modules)


def test_it_tells_the_gpu_that_it_has_proven_to_work() -> None:
    hidden = Hidden()
    told = hidden.wake()
    assert (told["name"], told["vram"]) == ("small GPU", VRAM * MEGABYTE)
    assert told["ms"] >= 0
    assert not hidden.curtain.hidden


def test_both_modules_for_models_learn_the_memory_of_the_gpu() -> None:
    hidden = Hidden()
    hidden.wake()
    for management in (hidden.management, hidden.other):
        assert management.total_vram == VRAM
        assert (management.STREAMS, management.stream_counters) == ({}, {})


def test_the_memory_that_may_be_pinned_is_the_same_share_of_this_machines() -> None:
    hidden = Hidden()
    hidden.machine.ram = RAM // 2
    hidden.machine.sum = 0.0
    for _ in range(2):
        with pytest.raises(NotAwake):
            hidden.wake()
    hidden.machine.sum = 2.0
    hidden.wake()
    assert hidden.management.MAX_PINNED_MEMORY == RAM / 2 * 0.95
    assert hidden.management.total_ram == RAM / 2


def test_nothing_is_pinned_where_that_is_switched_off() -> None:
    hidden = Hidden()
    hidden.management.MAX_PINNED_MEMORY = -1
    hidden.wake()
    assert hidden.management.MAX_PINNED_MEMORY == -1


def test_what_a_start_with_the_gpu_would_have_tuned_is_tuned() -> None:
    features = SimpleNamespace(AutoTune="autotune")
    hidden = Hidden(PerformanceFeature=features, args=SimpleNamespace(fast={"autotune"}))
    hidden.wake()
    assert hidden.machine.torch.backends.cudnn.benchmark


def test_listings_results_and_models_from_before_are_dropped() -> None:
    hidden = Hidden()
    hidden.wake()
    assert (hidden.files.filename_list_cache, hidden.files.cache_helper) == ({}, {})
    assert hidden.flags == {"unload_models": True, "free_memory": True}


def test_every_source_of_random_numbers_is_seeded_anew() -> None:
    hidden = Hidden()
    random.seed(7)
    expected = random.random()
    random.seed(7)
    hidden.wake()
    assert random.random() != expected
    assert hidden.machine.seeds == ["numpy", "torch"]


def test_without_a_gpu_it_says_so_and_takes_one_that_comes_later() -> None:
    hidden = Hidden()
    hidden.machine.gpu = False
    with pytest.raises(NotAwake, match="no GPU is attached, or none yet"):
        hidden.wake()
    assert hidden.curtain.hidden
    assert hidden.management.get_torch_device().type == "cpu"
    hidden.machine.gpu = True
    assert hidden.wake()["name"] == "small GPU"


def test_a_torch_without_cuda_is_named() -> None:
    hidden = Hidden()
    hidden.machine.torch.version.cuda = None
    with pytest.raises(NotAwake, match=r"torch \(2.9\) is built without CUDA"):
        hidden.wake()


def test_a_gpu_that_computes_wrongly_is_refused() -> None:
    hidden = Hidden()
    hidden.machine.sum = 3.0
    with pytest.raises(NotAwake, match=r"1 \+ 1 = 3"):
        hidden.wake()
    assert hidden.curtain.hidden


def test_models_that_were_loaded_before_are_a_reason_to_refuse() -> None:
    hidden = Hidden()
    hidden.other.current_loaded_models = ["a model"]
    with pytest.raises(NotAwake, match="loaded before"):
        hidden.wake()
    assert hidden.curtain.hidden


def test_whatever_this_version_of_comfyui_raises_is_the_reason() -> None:
    hidden = Hidden()
    del hidden.other.get_total_memory
    with pytest.raises(NotAwake, match=r"AttributeError: .*get_total_memory"):
        hidden.wake()
    assert hidden.curtain.hidden
