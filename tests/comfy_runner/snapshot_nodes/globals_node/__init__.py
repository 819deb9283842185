"""A ComfyUI node that tells every global of ComfyUI's modules, and torch's own settings."""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Iterator
from typing import Any

import folder_paths
import torch
from aiohttp import web
from server import PromptServer

PLAIN = (type(None), bool, int, float, complex, str, bytes, enum.Enum)
TORCH = (torch.device, torch.dtype, torch.Size)
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
DEPTH = 4
NODE_CLASS_MAPPINGS: dict[str, type] = {}


def told(value: Any, depth: int = DEPTH) -> str:
    """Return what can be compared between two processes: no addresses, no order of sets."""
    if isinstance(value, PLAIN + TORCH):
        return repr(value)
    if isinstance(value, torch.Tensor):
        return f"tensor {value.dtype} {value.device} {tuple(value.shape)}"
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__}"
    if isinstance(value, FUNCTIONS):
        return function(value, depth)
    if isinstance(value, type):
        return f"class {value.__module__}.{value.__qualname__}"
    if depth == 0:
        return f"a {type(value).__name__}"
    if isinstance(value, dict):
        inside = [f"{told(k, 0)}: {told(v, depth - 1)}" for k, v in list(value.items())]
        return "{" + ", ".join(inside) + "}"
    if isinstance(value, list | tuple | set | frozenset):
        inside = [told(each, depth - 1) for each in value]
        ordered = inside if isinstance(value, list | tuple) else sorted(inside)
        return f"{type(value).__name__}({', '.join(ordered)})"
    return f"{type(value).__module__}.{type(value).__qualname__} {told_inside(value, depth)}"


def function(value: Any, depth: int) -> str:
    name = f"function {value.__module__}.{getattr(value, '__qualname__', value.__name__)}"
    code = getattr(value, "__code__", None)  # two of one name are defined by a condition
    name += f" line {code.co_firstlineno}" if code else ""
    defaults = getattr(value, "__defaults__", None)
    cells = getattr(value, "__closure__", None) or ()
    caught = [cell.cell_contents for cell in cells if depth and filled(cell)]
    return f"{name} {told(defaults, min(depth, 2))} {[told(each, 1) for each in caught]}"


def filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 (it raises)
    except ValueError:
        return False
    return True


def told_inside(value: Any, depth: int) -> str:
    inside = getattr(value, "__dict__", None)
    return told(dict(inside), depth - 1) if isinstance(inside, dict) else ""


def every_global() -> Iterator[tuple[str, str]]:
    for name, module in sorted(sys.modules.items()):
        if not str(getattr(module, "__file__", "")).startswith(folder_paths.base_path):
            continue
        for key, value in list(vars(module).items()):
            if key.startswith("__"):
                continue
            yield f"{name}.{key}", told(value)
            if isinstance(value, type) and value.__module__ == name:
                for attribute, inside in list(vars(value).items()):
                    if attribute.startswith("__pydantic_"):  # there are addresses in it
                        continue
                    yield f"{name}.{key}.{attribute}", told(inside, 2)


def torch_settings() -> Iterator[tuple[str, str]]:
    backends = torch.backends
    for name in ("flash", "math", "mem_efficient", "cudnn"):
        yield f"torch.{name}_sdp", str(getattr(backends.cuda, f"{name}_sdp_enabled")())
    for name in ("benchmark", "deterministic", "enabled", "allow_tf32"):
        yield f"torch.cudnn.{name}", str(getattr(backends.cudnn, name))
    for name in ("allow_tf32", "allow_fp16_reduced_precision_reduction"):
        yield f"torch.matmul.{name}", str(getattr(backends.cuda.matmul, name))
    reduced = backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    yield "torch.math_sdp_reduction", str(reduced)
    yield "torch.default_dtype", str(torch.get_default_dtype())
    for module in (torch.cuda, torch.accelerator):
        for name in sorted(set(dir(module))):
            if isinstance(vars(module).get(name), types.FunctionType):
                yield f"{module.__name__}.{name}", told(getattr(module, name))


async def tell(_request: Any) -> Any:
    return web.json_response({**dict(every_global()), **dict(torch_settings())})


PromptServer.instance.routes.get("/test/globals")(tell)
