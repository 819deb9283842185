"""What is wrong with an app file."""

from __future__ import annotations

from collections.abc import Sequence


class AppError(ValueError):
    """An app that cannot be used: one line for each problem, with its place and the remedy."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        head = f"{source} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:"
        super().__init__("\n  ".join([head, *problems]))
        self.source = source
        self.problems = tuple(problems)
