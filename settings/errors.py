"""What is wrong with settings."""

from __future__ import annotations


class SettingsError(ValueError):
    """Settings that cannot be used: one line for each, naming variable, value and remedy."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
