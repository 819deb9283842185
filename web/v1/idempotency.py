"""The Idempotency-Key header: a request that is sent again makes no second job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from flask import request

from tasks.jobs import Hold, KeyInUse, KeyReused
from web.auth import rights
from web.errors import ProblemError

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"

_KEY = re.compile("[!-~]{1,200}")


class Keys(Protocol):
    """What this module needs of `tasks.jobs`."""

    def hold(self, caller: str, key: str, request: Any) -> AbstractContextManager[Hold]:
        """Hold a key for one request; raise KeyReused or KeyInUse."""


@contextmanager
def held(keys: Keys, body: Any) -> Iterator[Hold | None]:
    """Hold the key of the request at hand while it is carried out; None if it has no key.

    A request is the same if method, path and body are.

    Raises:
        ProblemError: 400 for a key that cannot be one, 409 while the first request with it is
            in hand, 422 if it was sent with another request.
    """
    key = request.headers.get(HEADER)
    if key is None:
        yield None
        return
    if not _KEY.fullmatch(key):
        detail = f"{HEADER} must be 1 to 200 visible ASCII characters, such as a UUID."
        raise ProblemError(400, "invalid_header", detail)
    try:
        with keys.hold(rights().identity, key, [request.method, request.path, body]) as hold:
            yield hold
    except KeyReused as error:
        detail = f"This {HEADER} was sent with another request; use a new key for a new request."
        raise ProblemError(422, "idempotency_key_reused", detail) from error
    except KeyInUse as error:
        detail = f"The first request with this {HEADER} is still being answered; send it again."
        headers = {"Retry-After": "1"}
        raise ProblemError(409, "idempotency_key_in_use", detail, headers=headers) from error


def replayed(hold: Hold | None) -> dict[str, str]:
    """Return the header that says that this answer is to an earlier request."""
    return {REPLAYED: "true"} if hold and hold.job else {}
