"""Run by ComfyUI before it imports torch: hides CUDA if MEMORY_SNAPSHOT_HIDE_CUDA=1 says so."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

SWITCH = "MEMORY_SNAPSHOT_HIDE_CUDA"


def main() -> None:
    """Have torch hide CUDA from its first moment, if the environment asks for it."""
    package = ModuleType("memory_snapshot_helper")
    package.__path__ = [str(Path(__file__).resolve().parent)]
    sys.modules.setdefault("memory_snapshot_helper", package)
    from memory_snapshot_helper.hiding import curtain, hide_when_imported

    if os.environ.get(SWITCH) != "1":
        return
    # Asked for a GPU that is not attached yet, CUDA might remember that there is none; NVML does
    # not. Only torch reads this, and only in `is_available` and `device_count`.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    hide_when_imported(curtain)


main()
