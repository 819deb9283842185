"""Sums of what jobs have used, put together from as many answers as they come in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from web.answers import UsedBy, read_used
from web.client.errors import UnexpectedAnswer

MOST_ANSWERS = 100_000
"""How many answers are asked for at most: some millions of jobs."""


class Span(TypedDict, total=False):
    """Of which jobs: whose, submitted since one moment (with its zone) and before another."""

    user_id: str | None
    since: datetime | None
    until: datetime | None


def sum_up(
    ask: Callable[[Mapping[str, Any]], Mapping[str, Any]], by: str, span: Span
) -> tuple[UsedBy, ...]:
    """Return the sums by user, day or gpu; `ask` gets the parameters of one request.

    Raises:
        UnexpectedAnswer: an answer is none of this API, or they never end.
    """
    query = {
        "by": by,
        "user_id": span.get("user_id"),
        "since": _written(span.get("since")),
        "until": _written(span.get("until")),
    }
    sums: dict[str | None, UsedBy] = {}
    after = None
    for _ in range(MOST_ANSWERS):
        answer = ask({**query, "after": after})
        try:
            for each in map(read_used, answer["sums"]):
                sums[each.name] = each.plus(sums.get(each.name))
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedAnswer("The answer holds no sums; check the URL.") from error
        after = answer.get("next")
        if after is None:
            return tuple(sorted(sums.values(), key=lambda each: (not each.name, each.name or "")))
    raise UnexpectedAnswer(f"There is more even after {MOST_ANSWERS} answers; ask for less time.")


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
