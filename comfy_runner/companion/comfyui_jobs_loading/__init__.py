"""A ComfyUI custom node pack without nodes: it puts a clock to ComfyUI's loading of models.

Loaded by ComfyUI as its neighbour is, and as careful not to keep it from starting.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

LOADING = (
    ("comfy.utils", "load_torch_file"),
    ("comfy.sd", "load_checkpoint"),
    ("comfy.sd", "load_checkpoint_guess_config"),
    ("comfy.sd", "load_clip"),
    ("comfy.sd", "load_diffusion_model"),
    ("comfy.sd", "load_gligen"),
    ("comfy.sd", "load_style_model"),
    ("comfy.clip_vision", "load"),
    ("comfy.controlnet", "load_controlnet"),
    ("comfy.model_management", "load_models_gpu"),
)
"""What reads model files, builds models of them, and moves those to where they compute."""

PATH = "/comfyui_jobs/loading/{prompt_id}"

KEPT_PROMPTS = 32
"""Of how many prompts the times are remembered."""


class Loading:
    """The seconds of each prompt in functions that load; one inside another counts once.

    `running` tells which prompt is being run, if there is one.
    """

    def __init__(
        self, running: Callable[[], str | None], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._running = running
        self._clock = clock
        self._depth = threading.local()
        self._seconds: dict[str, float] = {}

    def seconds(self, prompt_id: str) -> float:
        """Return how long a prompt has loaded, which is 0 if nobody remembers."""
        return self._seconds.get(prompt_id, 0.0)

    def watch(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, whose time counts."""

        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            with self._counted():
                return function(*args, **kwargs)

        return watched

    @contextmanager
    def _counted(self) -> Iterator[None]:
        depth = getattr(self._depth, "value", 0)
        self._depth.value = depth + 1
        began = self._clock()
        try:
            yield
        finally:
            self._depth.value = depth
            if depth == 0:
                self._count(self._clock() - began)

    def _count(self, seconds: float) -> None:
        prompt_id = self._running()
        if prompt_id is None:
            return  # at the start of ComfyUI, which belongs to nobody
        # last in, so that the oldest is the first to be forgotten
        self._seconds[prompt_id] = self._seconds.pop(prompt_id, 0.0) + seconds
        while len(self._seconds) > KEPT_PROMPTS:
            del self._seconds[next(iter(self._seconds))]


def install(loading: Loading, places: Sequence[tuple[str, str]] = LOADING) -> list[str]:
    """Put the clock to the functions of this ComfyUI; return the names of those it has.

    Packs that have taken a function by `from ... import` before keep the one without a clock.
    """
    found = []
    for module_name, name in places:
        module = sys.modules.get(module_name)  # ComfyUI has imported them all before any pack
        function = getattr(module, name, None)
        if callable(function):
            setattr(module, name, loading.watch(function))
            found.append(f"{module_name}.{name}")
    return found


def _join() -> dict[str, type]:
    """Put the clock to this ComfyUI, if this is one; there are no nodes to return."""
    try:
        _begin()
    except Exception as error:  # noqa: BLE001 (ComfyUI has to start whatever happens here)
        logging.warning("comfyui_jobs_loading: not available in this ComfyUI: %s", error)
    return {}


def _begin() -> None:
    from aiohttp import web
    from server import PromptServer

    server = PromptServer.instance
    if any(getattr(route, "path", None) == PATH for route in server.routes):
        return  # loaded from two places
    prompts = server.prompt_queue.currently_running
    loading = Loading(lambda: next((str(entry[1]) for entry in [*prompts.values()]), None))

    async def tell(request: Any) -> Any:
        return web.json_response({"seconds": loading.seconds(request.match_info["prompt_id"])})

    server.routes.get(PATH)(tell)
    install(loading)


NODE_CLASS_MAPPINGS = _join()
