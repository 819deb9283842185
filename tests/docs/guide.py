"""The guide, as a program: its sections, and the Python blocks in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "tasks.md"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (\w+\.py)\n")


@dataclass(frozen=True)
class Block:
    """A fenced block of Python; ``file`` is the name in its first line, if that is a comment."""

    line: int
    code: str

    @property
    def file(self) -> str | None:
        """The file that the block is the content of; None if it is to be run as it stands."""
        named = FILE.match(self.code)
        return named[1] if named else None


@dataclass(frozen=True)
class Section:
    """What stands under one heading."""

    title: str
    blocks: tuple[Block, ...]

    def run(self) -> dict[str, Any]:
        """Carry the blocks out in order, in one namespace; return it."""
        names: dict[str, Any] = {"__name__": "guide"}
        for block in self.blocks:
            if block.file is None:
                # the empty lines have a traceback name the line of the guide
                code = compile("\n" * block.line + block.code, GUIDE, "exec")
                exec(code, names)
        return names

    def files(self) -> dict[str, str]:
        """Return the files that the section lists, by name."""
        return {block.file: block.code for block in self.blocks if block.file}


def sections(text: str) -> Iterator[Section]:
    """Split the guide at its second-level headings, leaving out those without Python."""
    starts = [found.start() for found in re.finditer(r"^## ", text, re.MULTILINE)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        blocks = tuple(
            Block(text[: found.start(2)].count("\n"), found[2])
            for found in FENCE.finditer(text, start, end)
            if found[1] == "python"
        )
        if blocks:
            yield Section(text[start + 3 : end].partition("\n")[0], blocks)


def section(title: str) -> Section:
    """Return one section of the guide."""
    found = {each.title: each for each in sections(GUIDE.read_text(encoding="utf-8"))}
    return found[title]
