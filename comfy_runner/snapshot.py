"""Starting ComfyUI for a memory snapshot: without a GPU, which it gets when it is restored."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from comfy_runner.client import ComfyClient
from comfy_runner.errors import ComfyNotInstalled, ComfyUnavailable
from comfy_runner.installation import Installation

HELPER = Path(__file__).resolve().parent.parent / "memory_snapshot_helper"
ENVIRONMENT = ("MEMORY_SNAPSHOT_HIDE_CUDA=1",)
"""What the helper's `prestartup_script.py` hides CUDA for."""

GPU_SECONDS = 15.0
"""How long a GPU may take to appear after a restore."""
PAUSE_SECONDS = 0.25

WHITELIST = "--whitelist-custom-nodes"
ONLY_WHITELISTED = "--disable-all-custom-nodes"
NO_DYNAMIC_VRAM = "--disable-dynamic-vram"

logger = logging.getLogger(__name__)


def lay_out(directory: Path, helper: Path = HELPER) -> Path:
    """Return a folder of custom nodes in `directory` that holds the helper alone.

    Beside the helper lies the rest of this repository, which is not for ComfyUI to load.

    Raises:
        ComfyNotInstalled: the helper is not where it belongs.
    """
    if not (helper / "prestartup_script.py").is_file():
        raise ComfyNotInstalled(
            f"{helper} is not there, without which ComfyUI cannot start for a memory snapshot;"
            " ship it beside comfy_runner, or switch the app's snapshot off"
        )
    folder = directory / "custom_nodes"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / helper.name
    link.unlink(missing_ok=True)
    link.symlink_to(helper, target_is_directory=True)
    return folder


def arguments(given: Sequence[str], installation: Installation) -> list[str]:
    """Return the command-line flags `given` with what a hidden GPU asks for.

    The helper is loaded whichever custom nodes are. Newer versions manage memory with a GPU that
    they look for when they start (`--disable-dynamic-vram`); older ones do not know that flag.
    """
    flags = list(given)
    if WHITELIST in flags:
        last = len(flags) - flags[::-1].index(WHITELIST)
        flags.insert(last, HELPER.name)
    elif ONLY_WHITELISTED in flags:
        flags += [WHITELIST, HELPER.name]
    known = installation.checkout / "comfy" / "cli_args.py"
    if known.is_file() and NO_DYNAMIC_VRAM in known.read_text(encoding="utf-8"):
        flags.append(NO_DYNAMIC_VRAM)
    return flags


def warm_up(url: str) -> None:
    """Have the ComfyUI at `url` ask every node what it is, which it then knows.

    Raises:
        ComfyUnavailable: it does not answer.
    """
    with ComfyClient(url) as client:
        client.object_info()


def give_gpu(url: str, *, seconds: float = GPU_SECONDS) -> None:
    """Have the ComfyUI at `url` take its GPU, which may appear only after some `seconds`.

    Raises:
        ComfyUnavailable: it did not take one until then; the message says why.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            _ask(url)
        except ComfyUnavailable:
            if time.monotonic() >= until:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _ask(url: str) -> None:
    with ComfyClient(url) as client:
        woken = client.set_device()
        kinds = [str(device.get("type")) for device in client.system_stats().get("devices", [])]
    if kinds[:1] != ["cuda"]:
        computes = ", ".join(kinds) or "nothing"
        raise ComfyUnavailable(f"ComfyUI says that it has its GPU, but computes on {computes}")
    logger.info("ComfyUI computes on %s, %s", woken.get("name"), woken.get("status"))
    for sentence in woken.get("warnings", ()):
        logger.warning("memory snapshot: %s", sentence)
