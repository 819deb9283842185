"""One ComfyUI process: its command line, start, readiness, log and end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from comfy_runner import launcher, snapshot
from comfy_runner.client import ComfyClient
from comfy_runner.errors import ComfyNotInstalled, ComfyUnavailable
from comfy_runner.extra_paths import extra_paths
from comfy_runner.installation import Installation

STOP_SECONDS = 5.0
STARTS = 3
LOG_TAIL_BYTES = 64 * 1024
LOG_LINE_CHARACTERS = 500


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ComfyServer:
    """A ComfyUI of our own on a loopback port, with `directory` for all that it writes.

    `arguments` are further command-line flags and win over ours (port and directories have to
    stay); `start_timeout` counts seconds; `keep_metadata` has ComfyUI write workflows into the
    files it saves; `models_dir` holds models beside those of the installation. What an earlier
    start left in `output` and `input` is removed. `start` has to be called from a thread that
    outlives ComfyUI: the process dies with it. `hidden` says whether the last start was one
    without the GPU.
    """

    def __init__(
        self,
        installation: Installation,
        directory: Path,
        *,
        device: Literal["cpu", "gpu"] = "cpu",
        arguments: Sequence[str] = (),
        start_timeout: float = 120.0,
        keep_metadata: bool = False,
        models_dir: Path | None = None,
        choose_port: Callable[[], int] = free_port,
    ) -> None:
        self.directory = directory.absolute()
        self.output_directory = self.directory / "output"
        self.input_directory = self.directory / "input"
        self.temp_directory = self.directory / "temp"
        self.log = self.directory / "comfyui.log"
        self.port = 0
        self._installation = installation
        self._device = device
        self._arguments = tuple(arguments)
        self._start_timeout = start_timeout
        self._keep_metadata = keep_metadata
        self._models_dir = models_dir
        self._ready = False
        self.hidden = False
        self._choose_port = choose_port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash; changes with every start."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the last start, dead or alive."""
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs; it may not answer yet."""
        return self._process is not None and self._process.poll() is None

    @property
    def ending(self) -> str:
        """How the process ended, in words that follow its name."""
        code = None if self._process is None else self._process.poll()
        if code is None:
            return "did not end"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def start(self, *, hide_cuda: bool = False) -> None:
        """Start the process and return at once; nothing happens if it already runs.

        With `hide_cuda` it starts without a GPU, until `snapshot.give_gpu`.

        Raises:
            ComfyNotInstalled: the interpreter or ComfyUI's `main.py` is not there.
        """
        if self.alive:
            return
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("start ComfyUI from the main thread: it dies with its thread")
        self.kill()
        self._ready, self.hidden = False, hide_cuda
        self._check_installation()
        self._prepare_directories()
        self.port = self._choose_port()
        shim = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid())]
        shim += snapshot.ENVIRONMENT if hide_cuda else ()
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                shim + self._command(),
                cwd=self._installation.checkout,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._swept = False

    def wait_ready(self) -> None:
        """Return once ComfyUI answers; a port that was taken meanwhile is changed.

        It is asked once for each start: afterwards this costs nothing.

        Raises:
            ComfyUnavailable: it ended, or did not answer within `start_timeout`.
        """
        if self._ready and self.alive:
            return
        deadline = time.monotonic() + self._start_timeout
        starts = 1
        while time.monotonic() < deadline:
            if self._answers():
                self._ready = True
                return
            if not self.alive:
                if starts == STARTS or not self._port_was_taken():
                    raise self._failed_start()
                starts += 1
                self.start(hide_cuda=self.hidden)
            time.sleep(0.05)
        tail = self.log_tail()
        self.kill()
        raise ComfyUnavailable(
            f"ComfyUI did not answer within {self._start_timeout:g} s of its start; raise"
            " COMFYUI_START_TIMEOUT_SECONDS if this machine is slow",
            log=tail,
        )

    def wait_exit(self, timeout: float) -> bool:
        """Return whether the process has ended, giving it `timeout` seconds to do so."""
        if self._process is None:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        return not self.alive

    def stop(self) -> None:
        """End the process: SIGINT, five seconds, then SIGKILL to its group. Idempotent."""
        try:
            if self._process is not None and self.alive:
                self._process.send_signal(signal.SIGINT)
                self.wait_exit(STOP_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the process and everything that it started, now. Idempotent.

        After a crash this ends what it had started: a node's own processes outlive it.
        """
        if self._process is None or self._swept:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._swept = self.wait_exit(STOP_SECONDS)

    @property
    def log_size(self) -> int:
        """How many bytes the log has by now: where what comes next will begin."""
        try:
            return self.log.stat().st_size
        except FileNotFoundError:
            return 0

    def log_tail(self, lines: int = 40, *, since: int = 0) -> tuple[str, ...]:
        """Return the last lines of the log, without colours and the steps of progress bars.

        Only those count that were written after the log had `since` bytes.
        """
        try:
            with self.log.open("rb") as log:
                log.seek(max(since, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except FileNotFoundError:
            return ()
        plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
        last = (line.rstrip("\r").rpartition("\r")[2] for line in plain.split("\n"))
        written = (line.rstrip()[:LOG_LINE_CHARACTERS] for line in last)
        return tuple(deque((line for line in written if line), maxlen=lines))

    def _check_installation(self) -> None:
        for path in (self._installation.python, self._installation.checkout / "main.py"):
            if not path.is_file():
                raise ComfyNotInstalled(
                    f"ComfyUI's {path.name} is not there; run `python manage.py comfyui install`"
                    " or set COMFYUI_DIR and COMFYUI_PYTHON"
                )

    def _prepare_directories(self) -> None:
        for directory in (self.output_directory, self.input_directory):  # of runs that died
            shutil.rmtree(directory, ignore_errors=True)
        for name in ("output", "input", "temp", "user"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self._installation.front_end.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        paths = extra_paths(pulled=self._models_dir, installed=self._installation.models)
        if self.hidden:
            paths["snapshot"] = {"custom_nodes": str(snapshot.lay_out(self.directory))}
        self._paths_file.write_text(json.dumps(paths))

    @property
    def _paths_file(self) -> Path:
        return self.directory / "paths.yaml"

    def _command(self) -> list[str]:
        home, comfy = self.directory, self._installation
        options = {
            "--listen": "127.0.0.1",
            "--port": str(self.port),
            "--output-directory": str(self.output_directory),
            "--input-directory": str(self.input_directory),
            "--temp-directory": str(home),  # ComfyUI appends "temp"
            "--user-directory": str(home / "user"),
            "--front-end-root": str(comfy.front_end),
            "--database-url": f"sqlite:///{home / 'comfyui.db'}",
            "--preview-method": "none",
            "--verbose": "INFO",
        }
        options["--extra-model-paths-config"] = str(self._paths_file)
        flags = ["--disable-auto-launch", "--dont-print-server"]
        flags += ["--disable-api-nodes", "--log-stdout"]
        flags += [] if self._keep_metadata else ["--disable-metadata"]
        flags += ["--cpu"] if self._device == "cpu" and not self.hidden else []
        given = snapshot.arguments(self._arguments, comfy) if self.hidden else self._arguments
        pairs = [word for option in options.items() for word in option]
        return [str(comfy.python), "main.py", *pairs, *flags, *given]

    def _answers(self) -> bool:
        """Whether this very process answers, and not another one that took the port first."""
        try:
            with ComfyClient(self.url, timeout=5.0) as client:
                argv = client.system_stats().get("system", {}).get("argv", [])
        except ComfyUnavailable:
            return False
        return self.alive and (not argv or str(self.output_directory) in argv)

    def _port_was_taken(self) -> bool:
        return any(re.search(r"Errno (48|98)\b", line) for line in self.log_tail())

    def _failed_start(self) -> ComfyUnavailable:
        return ComfyUnavailable(
            f"ComfyUI {self.ending} before it was ready; the last lines of its log tell why",
            log=self.log_tail(),
        )
