"""What runs on this machine, as the kernel tells it."""

from __future__ import annotations

from pathlib import Path


def children(pid: int) -> list[int]:
    """Return the child processes of every thread of a process."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in path.read_text().split()]
        except OSError:
            continue  # the thread ended just now
    return found


def command_of(pid: int) -> str:
    """Return a process's command line, or nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def pool_of(pid: int) -> str:
    """Return which pool a worker process serves."""
    words = command_of(pid).split("\0")
    return words[words.index("--pool") + 1] if "--pool" in words else ""


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
