"""Names that somebody may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

MOST_NAMES = 1000
"""How many names are compared at most: it takes microseconds for each."""


def near(name: str, names: Iterable[str]) -> str:
    """Return a hint at the names most alike, to be put behind a sentence; or nothing."""
    matches = difflib.get_close_matches(name[:200], islice(names, MOST_NAMES), n=3)
    return f" (did you mean {' or '.join(map(repr, matches))}?)" if matches else ""
