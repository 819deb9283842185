"""An app whose containers do not start, or hold what a snapshot does not bear."""

from __future__ import annotations

import socket
import time

import modal

app = modal.App("unlucky")
volume = modal.Volume.from_name("files", create_if_missing=True)
image = modal.Image.debian_slim(python_version="3.11")


@app.function(image=image, volumes={"/root/comfyui/models": volume})
def covering() -> str:
    return "ran"


@app.cls(image=image)
class Failing:
    @modal.enter()
    def boot(self) -> None:
        raise RuntimeError("cannot start")

    @modal.method()
    def run(self) -> None:
        pass


@app.cls(image=image, startup_timeout=1)
class Slow:
    @modal.enter()
    def boot(self) -> None:
        time.sleep(60)

    @modal.method()
    def run(self) -> None:
        pass


@app.cls(image=image, enable_memory_snapshot=True)
class Connected:
    @modal.enter(snap=True)
    def boot(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.ends = (socket.create_connection(listening.getsockname()), listening.accept()[0])

    @modal.method()
    def run(self) -> str:
        return "ran"
