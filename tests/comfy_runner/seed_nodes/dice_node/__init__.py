"""A ComfyUI node pack that draws random numbers, and sets their seeds as a snapshot does."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from aiohttp import web
from server import PromptServer

NODE_CLASS_MAPPINGS: dict[str, type] = {}


async def fix(_request: Any) -> Any:
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    return web.json_response({})


async def draw(_request: Any) -> Any:
    drawn = [random.random(), np.random.random(), torch.rand(1).item()]
    return web.json_response(drawn)


PromptServer.instance.routes.post("/dice/fix")(fix)
PromptServer.instance.routes.get("/dice")(draw)
