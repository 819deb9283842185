"""What a job may ask to be computed on, and what it is computed on if it does not ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from comfy_runner.catalog import Catalog
from comfy_runner.graph import Graph
from comfy_runner.hardware import needs_gpu
from settings import Settings
from web.errors import BodyError

GPU = "gpu"
"""What a run asks of its place, by the name that the Modal backend knows."""

NO_GPU = {GPU: "none"}


@dataclass(frozen=True)
class Hardware:
    """The GPU of a deployment, the others that a job may ask for, and whether some need none."""

    usual: str
    others: tuple[str, ...] = ()
    cpu_jobs: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what the settings allow."""
        return cls(settings.gpu_config, settings.gpu_allowed, settings.cpu_jobs)

    def faults(self, body: object) -> list[BodyError]:
        """Check the GPU that a body asks for, if its shape is right."""
        asked = body.get(GPU) if isinstance(body, dict) else None
        if not isinstance(asked, str) or (self.others and asked in {self.usual, *self.others}):
            return []
        if not self.others:
            message = "must be left out: this deployment has no other GPUs (GPU_ALLOWED)"
            return [BodyError(f"/{GPU}", message)]
        allowed = ", ".join(dict.fromkeys((self.usual, *self.others)))
        return [BodyError(f"/{GPU}", f"must be one of {allowed} (GPU_ALLOWED), or be left out")]

    def resources(
        self, asked: str | None, graph: Graph, catalog: Catalog | None
    ) -> Mapping[str, str]:
        """Return what the job asks of its place; nothing has it run wherever the others do."""
        if asked is not None:
            return {} if asked == self.usual else {GPU: asked}
        if self.cpu_jobs and catalog is not None and not needs_gpu(graph, catalog):
            return NO_GPU
        return {}
