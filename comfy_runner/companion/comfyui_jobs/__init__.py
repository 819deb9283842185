"""A ComfyUI custom node pack without nodes: it tells what ComfyUI's own interface does not.

Loaded by ComfyUI into its own process and run by its interpreter, whichever version that is. It
may never keep ComfyUI from starting: what it cannot find out, it leaves out of its answers.
"""

from __future__ import annotations

import inspect
import logging
import random
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

WORKER = "prompt_worker"
"""The function that takes prompts off the queue, in a thread of its own."""

PATH = "/comfyui_jobs"
NO_TYPE = "\0"
FAR_SLOT = 1_000_003
PROBE = "comfyui_jobs probe"


def state(queue: Any) -> dict[str, Any]:
    """Return whether the thread that runs prompts lives, and which prompts are being run.

    It dies of `SystemExit` in a node, while the rest of ComfyUI answers on.
    """
    running = list(getattr(queue, "currently_running", {}).values())
    return {"worker_alive": _worker_alive(), "running": [str(entry[1]) for entry in running]}


def validators(classes: Mapping[str, type]) -> dict[str, list[str]]:
    """Return which inputs each class checks itself, by the parameters of its check.

    ComfyUI leaves the range and the choices of those inputs to the class, and the types of all
    links if one is named `input_types`. `*` stands for every input. A class that checks nothing
    itself is left out.
    """
    found = {}
    for name, node in classes.items():
        check = _check_of(node)
        if check is not None:
            found[name] = _parameters(check)
    return found


def typing(classes: Mapping[str, type]) -> dict[str, dict[str, Any]]:
    """Return, for each class, the types that are more than their JSON form shows.

    `inputs` by name and `outputs` by slot are each `any` (equal to every type), `star` (equal to
    `*`) or `tuple` (choices that ComfyUI does not check, because they are no list); `endless`
    says that there is a type at every slot. A class with nothing to tell is left out.
    """
    found = {}
    for name, node in classes.items():
        try:
            told = _odd_types(node)
        except Exception:  # the class's own code; ComfyUI lists it nowhere either
            logging.debug("comfyui_jobs: %s does not tell its types", name, exc_info=True)
            continue
        if told:
            found[name] = told
    return found


async def rules(classes: dict[str, type]) -> dict[str, bool]:
    """Return how this version of ComfyUI judges, found out by asking its own functions.

    `star` says whether the plain type `*` links to every type, `choices` whether the choices of
    a `COMBO` are checked. What this version cannot be asked is left out.
    """
    found = {}
    try:
        from comfy_execution.validation import (
            validate_node_input,
        )

        found["star"] = bool(validate_node_input("*", NO_TYPE))
    except Exception:  # any other version may do anything
        logging.debug("comfyui_jobs: cannot ask how types are compared", exc_info=True)
    classes[PROBE] = _Probe
    try:
        from execution import validate_inputs

        prompt = {"1": {"class_type": PROBE, "inputs": {"choice": "neither"}}}
        found["choices"] = not (await validate_inputs(PROBE, prompt, "1", {}))[0]
    except Exception:  # as above
        logging.debug("comfyui_jobs: cannot ask whether choices are checked", exc_info=True)
    finally:
        del classes[PROBE]
    return found


def reseed(modules: Mapping[str, Any] = sys.modules) -> None:
    """Give every source of random numbers a seed of its own.

    All processes that are restored from one memory snapshot have the same otherwise.
    """
    random.seed()
    if "numpy" in modules:
        modules["numpy"].random.seed()
    if "torch" in modules:
        modules["torch"].seed()  # that of a GPU too


class _Probe:
    RETURN_TYPES = ()
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 (ComfyUI's name)
        return {"required": {"choice": ("COMBO", {"options": ["one", "other"]})}}


def _worker_alive() -> bool:
    if any(WORKER in thread.name for thread in threading.enumerate()):
        return True
    # before Python 3.10 a thread is not named for its function
    return any(_runs(frame) for frame in sys._current_frames().values())


def _runs(frame: Any) -> bool:
    while frame is not None:
        if frame.f_code.co_name == WORKER:
            return True
        frame = frame.f_back
    return False


def _check_of(node: type) -> Callable[..., Any] | None:
    """Return what ComfyUI would call to have the class check its inputs."""
    try:
        from comfy_api.internal import (
            _ComfyNodeInternal,
            first_real_override,
        )

        if issubclass(node, _ComfyNodeInternal):
            override: Callable[..., Any] | None = first_real_override(node, "validate_inputs")
            return override
    except Exception:  # older versions have only the first kind of nodes
        logging.debug("comfyui_jobs: no nodes of the newer kind", exc_info=True)
    return getattr(node, "VALIDATE_INPUTS", None)


def _parameters(check: Callable[..., Any]) -> list[str]:
    try:
        told = inspect.getfullargspec(check)
    except TypeError:
        return ["*"]  # nothing is known of it, so nothing is judged in its place
    return [*told.args, *(["*"] if told.varkw else [])]


def _odd_types(node: Any) -> dict[str, Any]:
    groups = node.INPUT_TYPES()
    inputs = {
        name: kind
        for group in ("required", "optional")
        for name, spec in (groups.get(group) or {}).items()
        if isinstance(spec, Sequence) and spec and (kind := _kind(spec[0]))
    }
    returned = node.RETURN_TYPES
    # by index, as ComfyUI takes them: a tuple of a pack's own may answer that differently
    slots = range(len(returned or ()))
    outputs = {str(slot): kind for slot in slots if (kind := _kind(returned[slot]))}
    endless = {"endless": True} if _is_endless(returned) else {}
    return {
        **({"inputs": inputs} if inputs else {}),
        **({"outputs": outputs} if outputs else {}),
        **endless,
    }


def _kind(told: object) -> str | None:
    if isinstance(told, tuple):
        return "tuple"
    if not isinstance(told, str) or type(told) is str:
        return None
    # ComfyUI compares with != alone, which subclasses of str answer as they like
    if not (told != NO_TYPE):  # noqa: SIM202 (== may well answer otherwise)
        return "any"
    return None if told != "*" else "star"


def _is_endless(returned: Any) -> bool:
    try:
        returned[FAR_SLOT]
    except Exception:  # noqa: BLE001 (what else than IndexError its own class may raise)
        return False
    return True


def _join() -> dict[str, type]:
    """Add our routes, if this is a ComfyUI; there are no nodes to return."""
    try:
        _add_routes()
    except Exception as error:  # noqa: BLE001 (ComfyUI has to start whatever happens here)
        logging.warning("comfyui_jobs: not available in this ComfyUI: %s", error)
    return {}


def _add_routes() -> None:
    """Add our routes to ComfyUI's; its other answers stay as they are."""
    import nodes
    from aiohttp import web
    from server import PromptServer

    server = PromptServer.instance
    classes = nodes.NODE_CLASS_MAPPINGS
    if any(getattr(route, "path", None) == f"{PATH}/state" for route in server.routes):
        return  # loaded from two places; a route that is there twice would end ComfyUI

    async def tell_state(_request: Any) -> Any:
        return web.json_response(state(server.prompt_queue))

    async def tell_validators(_request: Any) -> Any:
        return web.json_response(validators(classes))

    async def tell_typing(_request: Any) -> Any:
        return web.json_response({"rules": await rules(classes), "classes": typing(classes)})

    async def take_seeds(_request: Any) -> Any:
        reseed()
        return web.json_response({})

    server.routes.get(f"{PATH}/state")(tell_state)
    server.routes.post(f"{PATH}/seeds")(take_seeds)
    server.routes.get(f"{PATH}/validators")(tell_validators)
    server.routes.get(f"{PATH}/typing")(tell_typing)


NODE_CLASS_MAPPINGS = _join()
