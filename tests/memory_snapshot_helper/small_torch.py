"""A torch and a ComfyUI of a few lines, with a GPU that can be attached."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

MEGABYTE = 1024 * 1024
RAM, VRAM = 64_000, 48_000


@dataclass(frozen=True)
class Device:
    type: str


class Machine:
    """What the modules below stand on; `asked` lists what came to the driver."""

    def __init__(self) -> None:
        self.gpu = False
        self.sum = 2.0
        self.ram = RAM
        self.asked: list[str] = []
        self.seeds: list[str] = []
        self.torch = self._torch()

    def _torch(self) -> Any:
        cuda = SimpleNamespace(
            is_available=lambda: self._ask("is_available"),
            device_count=lambda: int(self._ask("device_count")),
            current_device=lambda: self._work(Device("cuda")),
            _lazy_init=lambda: self._ask("init"),
            get_device_name=lambda _device: self._work("small GPU"),
            set_device=lambda _index: self._work(None),
        )
        cuda.init = lambda: cuda._lazy_init()  # noqa: PLW0108 (it is replaced later)
        one: Any = SimpleNamespace(add_=lambda _one: SimpleNamespace(item=lambda: self.sum))
        return SimpleNamespace(
            cuda=cuda,
            accelerator=SimpleNamespace(is_available=lambda: self._ask("accelerator")),
            version=SimpleNamespace(cuda="12.8"),
            backends=SimpleNamespace(
                cudnn=SimpleNamespace(is_available=lambda: True, benchmark=False)
            ),
            device=lambda told: told if isinstance(told, Device) else Device(told),
            ones=lambda _count, device: self._work(one),
            seed=lambda: self.seeds.append("torch"),
            __version__="2.9",
        )

    def _ask(self, what: str) -> bool:
        self.asked.append(what)
        return self.gpu

    def _work(self, result: Any) -> Any:
        self.torch.cuda._lazy_init()
        return result

    def management(self, **more: Any) -> Any:
        """Return a `comfy.model_management` as a start without the GPU leaves it."""

        def memory(device: Device) -> int:
            return (VRAM if device.type == "cuda" else self.ram) * MEGABYTE

        return SimpleNamespace(
            __name__="management",
            total_vram=float(RAM),
            total_ram=float(RAM),
            MAX_PINNED_MEMORY=RAM * 0.95,
            current_loaded_models=[],
            STREAMS={"cpu": []},
            stream_counters={"cpu": 1},
            get_torch_device=lambda: self.torch.device(self.torch.cuda.current_device()),
            get_torch_device_name=str,
            get_total_memory=memory,
            **more,
        )
