"""What a process and its descendants are and hold open, from Linux's /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict

PROC = Path("/proc")
STATES = {
    "01": "ESTABLISHED",
    "02": "SYN_SENT",
    "03": "SYN_RECV",
    "04": "FIN_WAIT1",
    "05": "FIN_WAIT2",
    "06": "TIME_WAIT",
    "08": "CLOSE_WAIT",
    "09": "LAST_ACK",
    "0A": "LISTEN",
    "0B": "CLOSING",
}

ProcessTable = dict[int, tuple[int, str]]


class Connection(NamedTuple):
    """One end of a TCP connection."""

    pid: int
    here: str
    there: str
    state: str

    @property
    def ports(self) -> tuple[int, int]:
        return int(self.here.rpartition(":")[2]), int(self.there.rpartition(":")[2])


class Sighting(TypedDict):
    """A process tree at one moment."""

    at: float
    processes: dict[int, str]  # pid: command
    connections: list[Connection]
    listening: list[tuple[int, str]]
    files: list[tuple[int, str]]
    forbidden: list[Connection]  # established, and not Modal's own
    modal: list[Connection]


def process_table() -> ProcessTable:
    """Return the parent and the start time of each process that is not a zombie."""
    table: ProcessTable = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                table[int(entry.name)] = (int(fields[1]), fields[19])
    return table


def descendants(pid: int, table: ProcessTable | None = None) -> dict[int, str]:
    """Return the start time of the process and of all below it."""
    table = table or process_table()
    children = defaultdict(list)
    for child, (parent, _) in table.items():
        children[parent].append(child)
    found: dict[int, str] = {}
    left = [pid]
    while left:
        each = left.pop()
        if each in table and each not in found:
            found[each] = table[each][1]
            left += children[each]
    return found


def command_of(pid: int) -> str:
    """Return the command line of a process, or "" when it is gone."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return words.replace(b"\0", b" ").decode(errors="replace").strip()


def signal_all(pids: Iterable[int], signum: signal.Signals) -> None:
    """Send the signal to those that still live."""
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signum)


def sighting_of(pid: int) -> Sighting:
    """Look at a process tree: commands, TCP connections, listening sockets, regular files."""
    sockets = sockets_by_inode(pid)
    seen = Sighting(
        at=time.time(),
        processes={},
        connections=[],
        listening=[],
        files=[],
        forbidden=[],
        modal=[],
    )
    for each in descendants(pid):
        seen["processes"][each] = command_of(each)
        for target in open_files(each):
            if target.startswith("socket:["):
                note_socket(seen, each, sockets.get(target[8:-1]))
            elif target.startswith("/") and not target.startswith(("/dev/", "/proc/")):
                seen["files"].append((each, target))
    seen["files"] = sorted(set(seen["files"]))
    return seen


def note_socket(seen: Sighting, pid: int, ends: tuple[str, str, str] | None) -> None:
    if ends is None:
        return
    if ends[2] == "LISTEN":
        seen["listening"].append((pid, ends[0]))
    else:
        seen["connections"].append(Connection(pid, *ends))


def open_files(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for link in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(link.readlink())


def sockets_by_inode(pid: int) -> dict[str, tuple[str, str, str]]:
    """Return both ends and the state of each TCP socket that the process could see."""
    found = {}
    for family in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (PROC / str(pid) / "net" / family).read_text().splitlines()[1:]:
                fields = line.split()
                state = STATES.get(fields[3], fields[3])
                found[fields[9]] = (address(fields[1]), address(fields[2]), state)
    return found


def address(text: str) -> str:
    host, _, port = text.partition(":")
    raw = bytes.fromhex(host)
    name = ".".join(map(str, raw[::-1])) if len(raw) == 4 else "[v6]"
    return f"{name}:{int(port, 16)}"
