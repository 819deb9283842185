"""A ComfyUI custom node without nodes: ComfyUI starts without a GPU and gets it after a restore.

`prestartup_script.py` hides CUDA from torch when asked to; `POST /cuda/set_device` brings it back.
It imports nothing else of this repository: ComfyUI's interpreter runs it, whichever version that
is, and it is useful to any ComfyUI whose process is snapshotted before a GPU is attached.
"""

from __future__ import annotations

import sys


def _join() -> dict[str, type]:
    """Add our routes if this is a ComfyUI, and return our nodes: none."""
    server = getattr(sys.modules.get("server"), "PromptServer", None)
    if server is not None:
        from memory_snapshot_helper.hiding import curtain
        from memory_snapshot_helper.routes import add_routes

        add_routes(server.instance, curtain)
    return {}


# ComfyUI loads this folder under a name of its own; our modules find one another by this one.
_PACKAGE = sys.modules.setdefault("memory_snapshot_helper", sys.modules[__name__])
NODE_CLASS_MAPPINGS = _join()
