"""A machine whose GPU is attached when a test says so: the real ComfyUI on a simulated CUDA."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from comfy_runner.installation import Installation
from comfy_runner.server import ComfyServer, free_port

HERE = Path(__file__).parent


class GpuMachine:
    """Starts ComfyUI in one directory and on one port, so that two starts can be compared."""

    def __init__(self, installation: Installation, directory: Path) -> None:
        self.directory = directory
        self._gpu = directory / "gpu"
        self._gpu.mkdir()
        self.installation = replace(installation, python=self._interpreter(installation.python))
        self._port = free_port()

    def _interpreter(self, python: Path) -> Path:
        script = self.directory / "python"
        variables = f"PYTHONPATH='{HERE / 'simulated_gpu'}' SIMULATED_GPU='{self._gpu}'"
        script.write_text(f"#!/bin/sh\n{variables} exec '{python}' \"$@\"\n")
        script.chmod(0o755)
        return script

    def attach(self) -> None:
        (self._gpu / "present").touch()

    def detach(self) -> None:
        (self._gpu / "present").unlink(missing_ok=True)

    def driver_calls(self) -> list[str]:
        """Return what the driver was asked since the last time, and forget it."""
        calls = self._gpu / "calls"
        text = calls.read_text() if calls.exists() else ""
        calls.unlink(missing_ok=True)
        return text.split()

    def nodes(self, folder: Path) -> tuple[str, ...]:
        """Return command-line flags that give ComfyUI the custom nodes in a folder."""
        config = self.directory / f"{folder.name}.yaml"
        config.write_text(json.dumps({"test": {"custom_nodes": str(folder)}}))
        return ("--extra-model-paths-config", str(config))

    def server(self, arguments: Sequence[str] = ()) -> ComfyServer:
        return ComfyServer(
            self.installation,
            self.directory / "home",
            device="gpu",
            arguments=arguments,
            choose_port=lambda: self._port,
        )


def start(server: ComfyServer, *, hide_cuda: bool = False) -> None:
    server.start(hide_cuda=hide_cuda)
    server.wait_ready()


def set_device(server: ComfyServer, body: bytes = b"") -> tuple[int, dict[str, Any]]:
    """Return the helper's answer: HTTP status and body."""
    answer = requests.post(f"{server.url}/cuda/set_device", data=body, timeout=60)
    return answer.status_code, answer.json()
