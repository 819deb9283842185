"""An app with one of each: a web function, a class with a snapshot, a cron, a plain function."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import modal

if TYPE_CHECKING:
    import flask

app = modal.App("sample")
models = modal.Volume.from_name("models", create_if_missing=True)
key = modal.Secret.from_name("api-keys", required_keys=["API_KEY"])
image = (
    modal.Image.debian_slim(python_version="3.11")
    .pip_install("limits>=5.0", extra_options="--no-cache-dir")
    .uv_pip_install("flask>=3.1")
    .env({"COLOUR": "light blue"})
)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@app.function(image=image, secrets=[key], min_containers=1, max_containers=3)
@modal.concurrent(max_inputs=20)
@modal.wsgi_app(label="api")
def web() -> flask.Flask:
    from flask import Flask, request  # noqa: PLC0415 # only this function needs it

    server = Flask(__name__)

    @server.get("/")
    def index() -> dict[str, Any]:
        time.sleep(float(request.args.get("sleep", "0")))
        return {"key": os.environ["API_KEY"], "colour": os.environ["COLOUR"], "pid": os.getpid()}

    @server.post("/")
    def submit() -> dict[str, str]:
        return {"call": Runner().run.spawn(request.get_json()).object_id}

    return server


@app.cls(
    image=image,
    gpu=["L40S", "A100"],
    secrets=[key, modal.Secret.from_dict({"EXTRA": "1"})],
    volumes={"/models": models},
    enable_memory_snapshot=True,
    experimental_options={"enable_gpu_snapshot": True},
    max_containers=2,
    scaledown_window=120,
    timeout=900,
    startup_timeout=240,
)
class Runner:
    """What a worker is, without its work."""

    @modal.enter(snap=True)
    def boot(self) -> None:
        self.steps = ["boot"]

    @modal.enter(snap=False)
    def wake(self) -> None:
        self.steps.append("wake")

    @modal.method()
    def run(self, order: dict[str, Any]) -> dict[str, Any]:
        say(f"run {order}")
        if "error" in order:
            raise ValueError(order["error"])
        if "child" in order:
            subprocess.Popen([sys.executable, "-c", order["child"]], start_new_session=True)
        try:
            time.sleep(order.get("sleep", 0))
        except BaseException as interruption:
            say(f"interrupted by {type(interruption).__name__}")
            raise
        return {"steps": self.steps, "order": order, "extra": os.environ["EXTRA"]}

    @modal.exit()
    def close(self) -> None:
        say("closed")


@app.function(image=image, schedule=modal.Cron("*/5 * * * *"), timeout=60)
def tick() -> str:
    say("tick")
    return "ticked"


@app.function(
    image=image,
    timeout=1,
    startup_timeout=60,
    retries=modal.Retries(max_retries=2, initial_delay=0.0, backoff_coefficient=1.0),
)
def attempt(file: str, attempts: int, seconds: float = 0.0) -> str:
    """Note the attempt in the file, and fail before that many."""
    with open(file, "a") as notes:  # noqa: PTH123 # as plain as can be
        notes.write("x")
    time.sleep(seconds)
    with open(file) as notes:  # noqa: PTH123
        if len(notes.read()) < attempts:
            raise RuntimeError("not yet")
    return "done"
