"""Run other programs to their end, in time, and keep what they said."""

from __future__ import annotations

import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

_LINES_KEPT = 40


class CommandFailed(Exception):
    """A program did not start, took too long or ended badly; `lines` are the last it printed."""

    def __init__(self, reason: str, lines: Sequence[str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lines = tuple(lines)


class Commands:
    """Runs programs for real; tests pass something else with the same `run`."""

    def run(
        self,
        arguments: Sequence[str],
        *,
        timeout: float,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """Run a program without input, and hand on every line it prints.

        Args:
            arguments: the program and its arguments; no shell reads them.
            timeout: seconds after which it is killed.
            cwd: the directory to run it in.
            on_line: called with each line of its output and errors, without the line's end.

        Raises:
            CommandFailed: it could not be started, was killed, or its exit code is not 0.
        """
        try:
            process = subprocess.Popen(
                list(arguments),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise CommandFailed(f"{arguments[0]} could not be started: {error}", ()) from error
        _follow(process, timeout, on_line)


def _follow(
    process: subprocess.Popen[str], timeout: float, on_line: Callable[[str], None] | None
) -> None:
    late = threading.Event()
    tail: deque[str] = deque(maxlen=_LINES_KEPT)

    def stop() -> None:
        late.set()
        process.kill()

    watchdog = threading.Timer(timeout, stop)
    watchdog.daemon = True
    try:
        watchdog.start()
        for line in process.stdout or ():
            tail.append(line.rstrip())
            if on_line:
                on_line(tail[-1])
        code = process.wait()
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
    if late.is_set():
        raise CommandFailed(f"it took longer than {timeout:g} seconds and was stopped", tail)
    if code:
        raise CommandFailed(f"it ended with exit code {code}", tail)
