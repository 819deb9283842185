"""How many requests a minute each key may send, counted by every process for itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from flask import Flask, Response, g
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from web.errors import ProblemError

WINDOW_SECONDS = 60


def limiter(app: Flask, per_minute: int) -> Callable[[str], None]:
    """Return what counts a request of the caller of that name; 0 means without any limit.

    Answers then tell where the caller stands, in the fields of the IETF's
    draft-ietf-httpapi-ratelimit-headers-10. In any 60 seconds `per_minute` requests are taken.
    """
    if not per_minute:
        return lambda _: None
    window = MovingWindowRateLimiter(MemoryStorage())
    item = RateLimitItemPerMinute(per_minute)

    def count(name: str) -> None:
        """Take one request; raise ProblemError 429 if there have been too many."""
        taken = window.hit(item, name)
        resets, remaining = window.get_window_stats(item, name)
        seconds = min(max(1, math.ceil(resets - time.time())), WINDOW_SECONDS)
        g.rate = (remaining, seconds)
        if not taken:
            raise _too_many(per_minute, seconds)

    def tell(response: Response) -> Response:
        """Say what is left; a request that was refused before it was counted hears nothing."""
        if "rate" in g:
            remaining, seconds = g.rate
            policy = f'"key";q={per_minute};w={WINDOW_SECONDS}'
            response.headers["RateLimit-Policy"] = policy
            response.headers["RateLimit"] = f'"key";r={remaining};t={seconds}'
        return response

    app.after_request(tell)
    return count


def _too_many(per_minute: int, seconds: int) -> ProblemError:
    detail = (
        f"This key has sent {per_minute} requests within a minute, as many as are allowed "
        "(RATE_LIMIT_PER_MINUTE); wait as long as Retry-After says."
    )
    return ProblemError(429, "rate_limited", detail, headers={"Retry-After": str(seconds)})
