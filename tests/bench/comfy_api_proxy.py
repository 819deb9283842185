"""comfy-api-proxy, which puts Comfy's API v2 before a ComfyUI, in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.contender import free_port
from tests.bench.load_clients import Request, Target

VERSION = "0.1.6"
NAME = f"comfy-api-proxy {VERSION}"
INSTALL_SECONDS = 300
START_SECONDS = 30


class NotInstalled(Exception):
    """The package could not be had; the message is pip's."""


@contextmanager
def proxying(comfyui: str, place: Path) -> Iterator[Target]:
    """Run it in front of the ComfyUI at that address during the block.

    Raises:
        NotInstalled: it could not be installed.
        RuntimeError: it did not answer in time.
    """
    program = _installed(place / "comfy-api-proxy")
    port = free_port()
    target = Target(f"http://127.0.0.1:{port}", "the-key")
    arguments = ["--comfyui", comfyui, "--port", str(port), "--token", target.key]
    state = ["--state-dir", str(place / "state")]
    log = place / "proxy.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(program), "run", *arguments, *state], stdout=file, stderr=file
        )
    try:
        _wait_for(target)
        yield target
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(target: Target) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            target.send(Request("GET", "/api/v2/health"))
        except (OSError, RuntimeError):
            if time.monotonic() > until:
                raise RuntimeError(f"{NAME} did not answer within {START_SECONDS} s") from None
            time.sleep(0.1)
        else:
            return


def _installed(directory: Path) -> Path:
    """Make the environment; pip of this one fills it, for not every Python has ensurepip."""
    make = [sys.executable, "-m", "venv", "--without-pip", str(directory)]
    subprocess.run(make, check=True, timeout=INSTALL_SECONDS)
    python = directory / "bin" / "python"
    fill = ["-m", "pip", "--python", str(python), "install", "--quiet"]
    done = subprocess.run(
        [sys.executable, *fill, f"comfy-api-proxy=={VERSION}"],
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NotInstalled(done.stderr.strip())
    return directory / "bin" / "comfy-api-proxy"
