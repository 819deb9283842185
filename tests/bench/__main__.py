"""Measure, and print one table: what it was, ours, the alternative, and the ratio."""

from __future__ import annotations

import contextlib
import platform
import sys
import tempfile
from pathlib import Path

from tests.bench import load, overhead, queues, reading, redis_server, runner, validation
from tests.bench.celery_queue import CELERY
from tests.bench.dramatiq_queue import DRAMATIQ
from tests.bench.huey_queue import HUEY, HUEY_NO_FSYNC
from tests.bench.own_queue import OURS

PARTS = ("queues", "reading", "job", "runner", "validation")


def main(parts: list[str]) -> None:
    """Print the tables, or the named parts of them; `load` takes options of its own."""
    if parts[:1] == ["load"]:
        load.main(parts[1:])
        return
    wanted = parts or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        known = (*PARTS, "load")
        raise SystemExit(f"no such part: {', '.join(sorted(unknown))}; choose of {known}")
    print(f"Python {platform.python_version()}, {platform.system()}, milliseconds, medians.\n")
    print("| what | ours | the alternative | its | ours / its |")
    print("|---|---:|---|---:|---:|")
    if "queues" in wanted:
        against_queues()
    with tempfile.TemporaryDirectory() as place:
        on_comfyui(wanted, Path(place))
    if not parts:
        print()
        load.main([])


def on_comfyui(wanted: list[str], place: Path) -> None:
    """Print what is measured of the records, of ComfyUI and of the runner."""
    if "reading" in wanted:
        for row in reading.rows(place):
            say(*row)
    if "job" in wanted:
        small = overhead.measure(place)
        say("one small ComfyUI job", small.service, "ComfyUI driven bare", small.bare)
    if "runner" in wanted:
        for row in runner.measure(place):
            say(*row)
    if "validation" in wanted:
        looked = validation.measure(place)
        what = f"looking at a workflow of {validation.NODES} nodes"
        say(what, looked.ours, "asking ComfyUI", looked.comfyui)
        say(f"{what}, the first time", looked.first, "asking ComfyUI", looked.comfyui)


def against_queues() -> None:
    """Print our framework against the others."""
    contenders = [OURS, HUEY, HUEY_NO_FSYNC]
    with contextlib.ExitStack() as stack:
        if redis_server.installed():
            stack.enter_context(redis_server.running())
            contenders += [CELERY, DRAMATIQ]
        else:
            print("no redis-server here: Celery and dramatiq are left out", file=sys.stderr)
        found = queues.measure(contenders)
    for what, ours in found[OURS.name].items():
        for other in contenders[1:]:
            say(what, ours, other.name, found[other.name][what])


def say(what: str, ours: float, alternative: str, theirs: float) -> None:
    """Print one comparison, in milliseconds."""
    row = (what, f"{ours:,.1f}", alternative, f"{theirs:,.1f}", f"{ours / theirs:.2f}")
    print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
