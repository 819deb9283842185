"""Hiding CUDA from everything that asks torch for it, and showing it again."""

from __future__ import annotations

import importlib.abc
import importlib.util
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from memory_snapshot_helper.callers import Caller, caller
from memory_snapshot_helper.remembered import caches_above

logger = logging.getLogger(__name__)


class EarlyGpuWork(RuntimeError):
    """Something wanted the GPU while it was hidden; the message names it."""


class Curtain:
    """Stands between torch and whoever asks it for CUDA, while `hidden`.

    Hidden, torch says that there is no CUDA and does not ask the driver, so that nothing of CUDA
    is in the process when its memory is saved; work on the GPU raises `EarlyGpuWork`. The current
    device is then the CPU, which is what lets ComfyUI start: `torch.device(torch.device("cpu"))`
    is allowed, so that its one fatal question is answered. What was bound by
    `from torch.cuda import is_available` meanwhile asks the real one afterwards.
    """

    def __init__(self) -> None:
        self.hidden = False
        self.was_hidden = False
        self.asked: dict[str, Caller] = {}
        """Custom nodes that asked whether there is CUDA and heard that there is none: where."""
        self.refused: list[str] = []
        """What wanted to work on the GPU, in words."""
        self._caches: dict[int, Any] = {}
        self._real: list[tuple[Any, str, Any]] = []
        self._stand_ins: list[tuple[Any, str, Any]] = []

    def hide(self, torch: Any) -> None:
        """Hide CUDA from now on; `torch` is the module. Nothing happens if it is hidden."""
        if not self._stand_ins:
            self._prepare(torch)
        _set(self._stand_ins)
        self.hidden = self.was_hidden = True

    def show(self) -> None:
        """Give torch its own functions back, and have kept answers forgotten.

        Nothing happens if CUDA is not hidden.
        """
        _set(self._real)
        self.hidden = False
        for cache in self._caches.values():
            cache.cache_clear()

    def hide_again(self) -> None:
        """Hide what `show` has shown; nothing happens if CUDA was never hidden."""
        _set(self._stand_ins)
        self.hidden = self.was_hidden

    def _prepare(self, torch: Any) -> None:
        answers = {"is_available": False, "device_count": 0}
        for module in (torch.cuda, getattr(torch, "accelerator", None)):
            for name, answer in answers.items():
                self._stand_in(module, name, self._answering(answer))
        self._stand_in(torch.cuda, "current_device", self._answering(torch.device("cpu")))
        # Every way to a first CUDA call of torch's leads through this, those from C++ too.
        self._stand_in(torch.cuda, "_lazy_init", self._refuse)

    def _stand_in(self, module: Any, name: str, answer: Callable[[], Any]) -> None:
        real = getattr(module, name, None)
        if real is None:
            return

        def stand_in(*args: Any, **options: Any) -> Any:
            return answer() if self.hidden else real(*args, **options)

        self._real.append((module, name, real))
        self._stand_ins.append((module, name, stand_in))

    def _answering(self, answer: Any) -> Callable[[], Any]:
        def tell() -> Any:
            self._caches.update({id(each): each for each in caches_above()})
            asker = caller()
            if asker.node is not None:
                self.asked.setdefault(asker.node, asker)
            return answer

        return tell

    def _refuse(self) -> None:
        self._caches.update({id(each): each for each in caches_above()})
        message = (
            f"{caller()} wants the GPU, but CUDA is hidden for a memory snapshot until"
            " POST /cuda/set_device; do this work when a workflow runs, not before"
        )
        self.refused.append(message)
        logger.warning(message)
        raise EarlyGpuWork(message)


def hide_when_imported(curtain: Curtain) -> None:
    """Hide CUDA as soon as torch is imported, or at once if it is already."""
    if "torch" in sys.modules:
        curtain.hide(sys.modules["torch"])
        return
    sys.meta_path.insert(0, _AfterTorch(curtain))


class _AfterTorch(importlib.abc.MetaPathFinder):
    """Has CUDA hidden right after torch's own import; finds torch where it is found anyway."""

    def __init__(self, curtain: Curtain) -> None:
        self._curtain = curtain
        self._busy = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 (importlib's)
        target: ModuleType | None = None,  # noqa: ARG002 (likewise)
    ) -> ModuleSpec | None:
        """Return the spec that the other finders give, with our step behind its import."""
        if fullname != "torch" or self._busy:
            return None
        self._busy = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._busy = False
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def run_and_hide(module: ModuleType) -> None:
            run(module)
            self._curtain.hide(module)
            logger.info("memory_snapshot_helper: CUDA is hidden until POST /cuda/set_device")

        spec.loader.exec_module = run_and_hide  # type: ignore[method-assign]
        return spec


def _set(functions: Sequence[tuple[Any, str, Any]]) -> None:
    for module, name, function in functions:
        setattr(module, name, function)


curtain = Curtain()
"""The one of this process."""
