"""CUDA behind the curtain: what torch says then, what is refused, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps

import pytest

from memory_snapshot_helper.hiding import Curtain, EarlyGpuWork
from tests.memory_snapshot_helper.small_torch import Device, Machine


@pytest.fixture
def machine() -> Machine:
    made = Machine()
    made.gpu = True
    return made


@pytest.fixture
def curtain(machine: Machine) -> Curtain:
    made = Curtain()
    made.hide(machine.torch)
    return made


def test_a_hidden_gpu_is_denied_without_asking_the_driver(
    machine: Machine, curtain: Curtain
) -> None:
    cuda = machine.torch.cuda
    assert (cuda.is_available(), cuda.device_count()) == (False, 0)
    assert not machine.torch.accelerator.is_available()
    assert machine.asked == []


def test_the_current_device_is_the_cpu_so_that_comfyui_starts(
    machine: Machine, curtain: Curtain
) -> None:
    assert machine.torch.device(machine.torch.cuda.current_device()) == Device("cpu")


def test_work_on_a_hidden_gpu_is_refused_with_the_line_that_wants_it(
    machine: Machine, curtain: Curtain
) -> None:
    with pytest.raises(EarlyGpuWork, match=r"test_hiding\.py:\d+ wants the GPU.*set_device"):
        machine.torch.cuda._lazy_init()
    assert len(curtain.refused) == 1
    assert machine.asked == []


def test_a_shown_gpu_answers_by_the_very_functions_it_had(machine: Machine) -> None:
    before = dict(vars(machine.torch.cuda))
    curtain = Curtain()
    curtain.hide(machine.torch)
    curtain.show()
    assert vars(machine.torch.cuda) == before
    assert not curtain.hidden


def test_a_function_bound_while_it_was_hidden_tells_the_truth_afterwards(
    machine: Machine, curtain: Curtain
) -> None:
    is_available, work = machine.torch.cuda.is_available, machine.torch.cuda._lazy_init
    curtain.show()
    assert is_available()
    assert work()


asked: list[Machine] = []


def wrapped(function: Callable[[], bool]) -> Callable[[], bool]:
    """Wrap a function as transformers wraps its own under the cache."""

    @wraps(function)
    def call() -> bool:
        return function()

    return call


@lru_cache
@wrapped
def is_there_a_gpu() -> bool:
    return bool(asked[-1].torch.cuda.is_available())


def test_an_answer_that_a_library_keeps_is_asked_for_again(
    machine: Machine, curtain: Curtain
) -> None:
    asked.append(machine)
    assert not is_there_a_gpu()
    curtain.show()
    assert is_there_a_gpu()


def test_what_was_shown_can_be_hidden_again(machine: Machine, curtain: Curtain) -> None:
    curtain.show()
    curtain.hide_again()
    assert curtain.hidden
    assert not machine.torch.cuda.is_available()


def test_nothing_is_hidden_that_never_was(machine: Machine) -> None:
    curtain = Curtain()
    curtain.show()
    curtain.hide_again()
    assert not curtain.hidden
    assert machine.torch.cuda.is_available()
