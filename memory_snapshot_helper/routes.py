"""The route that wakes CUDA, and what ComfyUI refuses until then."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from memory_snapshot_helper.hiding import Curtain
from memory_snapshot_helper.unsafe import warnings
from memory_snapshot_helper.waking import NotAwake, describe, wake

PATH = "/cuda/set_device"
JOBS = {"/prompt", "/api/prompt"}

logger = logging.getLogger(__name__)
Handler = Callable[[Any], Awaitable[Any]]


def add_routes(server: Any, curtain: Curtain) -> None:
    """Add `POST /cuda/set_device` to ComfyUI's `PromptServer`, once."""
    from aiohttp import web

    if any(getattr(route, "path", None) == PATH for route in server.routes):
        return  # loaded from two places; a route that is there twice would end ComfyUI
    lock = asyncio.Lock()

    async def set_device(request: Any) -> Any:
        if not _names_device_0(await request.text()):
            error = 'send {"device": 0} or nothing; CUDA_VISIBLE_DEVICES says which GPU that is'
            return web.json_response({"status": "error", "error": error}, status=400)
        async with lock:
            work = asyncio.get_running_loop().run_in_executor(None, _wake, curtain)
            status, answer = await work
        return web.json_response(answer, status=status)

    @web.middleware
    async def refuse_jobs(request: Any, handler: Handler) -> Any:
        if curtain.hidden and request.method == "POST" and request.path in JOBS:
            message = f"CUDA is hidden for a memory snapshot; POST {PATH} first"
            error = {"type": "cuda_hidden", "message": message, "details": "", "extra_info": {}}
            return web.json_response({"error": error, "node_errors": {}}, status=503)
        return await handler(request)

    async def warn(_app: Any) -> None:
        for sentence in _warnings(curtain) if curtain.hidden else ():
            logger.warning("memory_snapshot_helper: %s", sentence)

    server.routes.post(PATH)(set_device)
    server.app.middlewares.append(refuse_jobs)
    server.app.on_startup.append(warn)  # when every custom node is loaded


def _names_device_0(body: str) -> bool:
    try:
        told = json.loads(body.strip() or "{}")
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("device", 0) in (0, "0")


def _wake(curtain: Curtain) -> tuple[int, dict[str, Any]]:
    """Do it and return the answer: HTTP status and body."""
    found = _warnings(curtain)
    if not curtain.hidden:
        return 200, {**describe(), "status": "already" if curtain.was_hidden else "never hidden"}
    try:
        woken = wake(curtain)
    except NotAwake as error:
        logger.warning("memory_snapshot_helper: CUDA stays hidden: %s", error)
        return 503, {"status": "hidden", "error": str(error), "warnings": found}
    logger.info("memory_snapshot_helper: %s is awake after %s ms", woken["name"], woken["ms"])
    return 200, {**woken, "status": "awake", "warnings": found}


def _warnings(curtain: Curtain) -> list[str]:
    """Return `warnings` of this ComfyUI."""
    loaded = getattr(sys.modules.get("nodes"), "LOADED_MODULE_DIRS", {})
    names = [os.path.basename(str(path)) for path in loaded.values()]  # noqa: PTH119 (a string)
    return warnings(curtain, sys.modules, names)
