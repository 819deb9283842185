"""Measure, and print a line for each budget: ours, the alternative, and the ratio."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from tests.bench import overhead, queues, reading


def main() -> None:
    """Print every measurement."""
    pairs = [(queues.ours(), queues.huey()) for _ in range(3)]
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    say(f"{queues.COUNT} no-op tasks", mine * 1000, "huey on SQLite", theirs * 1000)
    with tempfile.TemporaryDirectory() as place:
        small = overhead.measure(Path(place))
        say("one small job", small.service, "ComfyUI driven bare", small.bare)
        print(f"{'':34}the service adds {small.service - small.bare:.1f} ms")
        for name, (few, many) in reading.measure(Path(place)).items():
            say(f"reading {name}, of {reading.MANY:,}", many, f"of {reading.FEW:,}", few)


def say(what: str, ours: float, alternative: str, theirs: float) -> None:
    """Print one comparison, in milliseconds."""
    print(f"{what:34}{ours:9.1f} ms   {alternative:22}{theirs:9.1f} ms   {ours / theirs:5.2f} x")


if __name__ == "__main__":
    main()
