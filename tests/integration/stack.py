"""A whole service as a person starts it: ``manage.py serve`` in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Self

from tests.integration.processes import children, command_of, pool_of
from tests.integration.service import KEY, NODES, ROOT, Service
from tests.waiting import eventually

LISTENING = re.compile(r"Listening on (http://\S+)")


class Stack(Service):
    """One data directory and, from `start` to `stop`, the service that works on it."""

    report_seconds = 0.1

    def __init__(self, data: Path, **settings: object) -> None:
        data.mkdir(parents=True, exist_ok=True)
        nodes = data / "test_nodes.yaml"
        nodes.write_text(json.dumps({"test": {"custom_nodes": str(NODES)}}))
        environment = {
            **os.environ,
            "API_KEY": KEY,
            "COMFYUI_ARGUMENTS": f"--extra-model-paths-config {nodes}",
            **{name: str(value) for name, value in settings.items()},
        }
        super().__init__(data, environment)
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data / "serve.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *, port: int = 0) -> None:
        """Start the service; return when it listens."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self.manage("serve", "--port", str(port), "--data", str(self.data))],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        found = eventually(lambda: self._ended() or LISTENING.search(self.log.read_text()))
        assert isinstance(found, re.Match), self.log.read_text()
        self.url = found[1]

    def stop(self) -> int:
        """Stop the service as Ctrl-C does; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(40)

    def kill(self) -> None:
        """Kill the service's own process, and none of those it started."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    @property
    def records(self) -> list[str]:
        """The options of ``manage.py`` that name this service's records."""
        return ["--data", str(self.data)]

    def inputs(self) -> list[Path]:
        """Return the input files that lie in the directories of workers."""
        return list(self.data.glob("workers/*/input/*/*"))

    # -- processes -------------------------------------------------------------------------

    def comfy_workers(self) -> list[int]:
        """Return the ids of the processes that hold a ComfyUI."""
        assert self.process is not None
        return [pid for pid in children(self.process.pid) if "comfy" in pool_of(pid)]

    def comfyui(self) -> int:
        """Return the id of the first worker's ComfyUI, once it runs."""

        def look() -> int | None:
            found = [child for pid in self.comfy_workers() for child in children(pid)]
            return next((pid for pid in found if "main.py" in command_of(pid)), None)

        return eventually(look)

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None
