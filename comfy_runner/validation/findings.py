"""One thing that is wrong with one input or node, in ComfyUI's terms and words."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from comfy_runner.errors import Problem
from comfy_runner.graph import pointer_to

SHOWN_CHOICES = 20
SHOWN_CHARACTERS = 100
SEARCHED_NAMES = 5000


class Kind(enum.StrEnum):
    """What is wrong, by ComfyUI's names for it where it has one."""

    UNKNOWN_CLASS = "invalid_prompt"
    NO_OUTPUTS = "prompt_no_outputs"
    MISSING = "required_input_missing"
    NO_LINK = "bad_linked_input"
    WRONG_LINK = "return_type_mismatch"
    WRONG_TYPE = "invalid_input_type"
    TOO_SMALL = "value_smaller_than_min"
    TOO_BIG = "value_bigger_than_max"
    NOT_LISTED = "value_not_in_list"
    NO_FILE = "custom_validation_failed"
    STUMBLES = "exception_during_validation"
    """What ComfyUI has no check for and trips over: a link to no node or to no slot, above all."""

    CYCLE = "dependency_cycle"
    DEAD_END = "dead_end"
    """What ComfyUI accepts, and what then kills the thread that runs its prompts."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; `node` is None if it is the workflow as a whole."""

    kind: Kind
    message: str
    node: str | None = None
    class_type: str | None = None
    input: str | None = None
    model_missing: bool = False

    @property
    def problem(self) -> Problem:
        """The finding as it is told: with the place before the message, and a pointer to it."""
        if self.node is None:
            return Problem("", self.message)
        who = f"node {self.node} ({self.class_type})"
        if self.kind is Kind.UNKNOWN_CLASS:
            return Problem(
                f"{pointer_to(self.node)}/class_type", f"node {self.node}: {self.message}"
            )
        if self.input is None:
            return Problem(pointer_to(self.node), f"{who}: {self.message}")
        place = f"{pointer_to(self.node)}/inputs{pointer_to(self.input)}"
        return Problem(place, f"input '{self.input}' of {who}: {self.message}")


def near(name: object, names: Iterable[object]) -> str:
    """Return the question whether one of the nearest names was meant; empty if none is near."""
    known = [each for each in islice(names, SEARCHED_NAMES) if isinstance(each, str)]
    matches = difflib.get_close_matches(str(name)[:SHOWN_CHARACTERS], known, n=3)
    return f" (did you mean {' or '.join(map(repr, matches))}?)" if matches else ""


def listed(names: Iterable[object]) -> str:
    """Return names as a sentence shows them, the first of many."""
    shown = [each if isinstance(each, str) else repr(each) for each in names]
    more = len(shown) - SHOWN_CHOICES
    some = ", ".join(shown[:SHOWN_CHOICES]) or "none"
    return f"{some} and {more} more" if more > 0 else some


def brief(value: object) -> str:
    """Return a value as a sentence shows it: of a long one the beginning."""
    return shortened(repr(value))


def shortened(text: str) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
