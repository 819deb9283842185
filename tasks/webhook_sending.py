"""One round of sending an event: a request, and a second and third where that may help at once."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_random_exponential

from comfy_runner.addresses import BlockedAddress
from comfy_runner.safe_http import Answer, NotFetched, Outbound
from tasks.document import timestamp
from tasks.webhook_signing import signed

SECONDS = 15.0
"""What one request may take in all."""

QUICK_TRIES = 3
QUICK_SECONDS = 2.0
"""A receiver that took longer to fail is not asked again at once: others are waiting."""

MOST_ANSWER_BYTES = 1000

_BLIPS = frozenset({502, 503, 504})
"""What a proxy answers while its server starts anew."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Try:
    """One request: at which Unix time, how long it took, and what came of it.

    `error` is None if the event was taken. `blocked` says that nothing was sent, because the
    URL leads inward. `retry_after` is what the receiver asked for, in seconds.
    """

    at: float
    seconds: float
    status: int | None = None
    error: str | None = None
    answer: str | None = None
    retry_after: float | None = None
    blocked: bool = False

    @property
    def is_blip(self) -> bool:
        """Whether it failed quickly, and may succeed within a second."""
        if self.error is None or self.blocked or self.seconds > QUICK_SECONDS:
            return False
        return self.status is None or (self.status in _BLIPS and self.retry_after is None)

    def to_json(self) -> dict[str, Any]:
        """Return what is kept of it for the job's owner."""
        return {
            "at": timestamp(datetime.fromtimestamp(self.at, UTC)),
            "status": self.status,
            "duration_seconds": round(self.seconds, 3),
            "error": self.error,
            "answer": self.answer,
        }


class Sender:
    """Sends signed events. Nothing of what it logs is a secret: host and id, status and time."""

    def __init__(
        self,
        outbound: Outbound,
        secrets: Sequence[str],
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._outbound = outbound
        self._secrets = tuple(secrets)
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep

    def send(self, url: str, event_id: str, body: bytes, heard: Callable[[Try], None]) -> Try:
        """Send `body`, up to three times within seconds; tell `heard` of each, return the last."""

        def once() -> Try:
            tried = self._once(url, event_id, body)
            heard(tried)
            return tried

        retrying = Retrying(
            retry=retry_if_result(lambda tried: tried.is_blip),
            stop=stop_after_attempt(QUICK_TRIES),
            wait=wait_random_exponential(multiplier=0.5, max=2),
            sleep=self._sleep,
            retry_error_callback=_last,
        )
        last: Try = retrying(once)
        return last

    def _once(self, url: str, event_id: str, body: bytes) -> Try:
        at, begun = self._clock(), time.monotonic()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "comfyui-jobs-webhook/1",
            **signed(event_id, at, body, self._secrets),
        }
        facts: dict[str, Any]
        try:
            answer = self._outbound.post(
                url, body, headers, seconds=self._seconds, max_bytes=MOST_ANSWER_BYTES
            )
            facts = _facts(answer, at)
        except BlockedAddress as error:
            facts = {"error": f"not sent: {error}", "blocked": True}
        except NotFetched as error:
            facts = {"error": str(error)}
        tried = Try(at, time.monotonic() - begun, **facts)
        told = (event_id, urlsplit(url).hostname, tried.error or tried.status, tried.seconds)
        _log.info("webhook %s to %s: %s after %.2f s", *told)
        return tried


def _last(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome else None


def _facts(answer: Answer, now: float) -> dict[str, Any]:
    if 200 <= answer.status < 300:
        return {"status": answer.status}
    error = f"the receiver answered HTTP {answer.status}"
    if 300 <= answer.status < 400:
        error += "; redirects are not followed"
    return {
        "status": answer.status,
        "error": error,
        "answer": _text(answer.body) or None,
        "retry_after": read_retry_after(answer.headers.get("Retry-After", ""), now),
    }


def _text(body: bytes) -> str:
    """Return text that a terminal and a JSON document can show."""
    text = body.decode("utf-8", "replace")
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


def read_retry_after(value: str, now: float) -> float | None:
    """Return how many seconds a Retry-After header asks for: a number or a date (RFC 9110)."""
    if re.fullmatch("[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None
