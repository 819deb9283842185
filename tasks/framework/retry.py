"""When a run that raised is tried again: a plain value."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Retry:
    """How often, how long after, and on which errors a run is tried again.

    Args:
        limit: how many retries, after the first attempt.
        delay: seconds before the first retry.
        backoff: each later delay is this many times longer than the one before ...
        max_delay: ... up to this many seconds.
        jitter: each delay is drawn from this fraction around it, so that what failed together
            is not tried again together; 0 is none, 1 is anything from zero to double.
        on: the errors that are worth another attempt.
        never: errors among them that are not.

    Raises:
        ValueError: naming the field that makes no sense.
    """

    limit: int = 3
    delay: float = 1.0
    backoff: float = 2.0
    max_delay: float = 3600.0
    jitter: float = 0.1
    on: tuple[type[BaseException], ...] = (Exception,)
    never: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        least = {"limit": 0, "delay": 0, "backoff": 1, "max_delay": 0, "jitter": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(f"retry {name} is {getattr(self, name)}: use {low} or more")
        if self.jitter > 1:
            raise ValueError(f"retry jitter is {self.jitter}: use a fraction from 0 to 1")

    @classmethod
    def of(cls, value: Retry | int | None) -> Retry:
        """Read what a declaration gives: a policy, a bare limit, or nothing."""
        if isinstance(value, Retry):
            return value
        return cls(limit=value or 0)

    def covers(self, error: BaseException) -> bool:
        """Whether this error is worth another attempt."""
        return isinstance(error, self.on) and not isinstance(error, self.never)

    def after(self, tried: int, chance: random.Random) -> float:
        """Return the seconds to wait when ``tried`` attempts have failed, 1 or more."""
        # min first: a large exponent must not overflow
        grown = self.delay * self.backoff ** min(tried - 1, 64)
        return min(grown, self.max_delay) * chance.uniform(1 - self.jitter, 1 + self.jitter)
