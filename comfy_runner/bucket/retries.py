"""What to try again when S3 fails, for how long, and what to tell whoever reads the error."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 (the name is botocore's)
    HTTPClientError,
    IncompleteReadError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_fixed,
    wait_random_exponential,
)

from comfy_runner.errors import StorageFailed

T = TypeVar("T")

_log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 30.0
"""No Retry-After makes us wait longer: a job holds a worker meanwhile."""

# R2 takes one write a second to the same key, so no wait may be shorter:
# https://developers.cloudflare.com/r2/platform/limits/
_wait_of_our_own = wait_fixed(1) + wait_random_exponential(multiplier=1, max=20)

# https://developers.cloudflare.com/r2/api/error-codes/ and the S3 API's own list.
_TRANSIENT_STATUSES = {408, 429, 500, 502, 503, 504}
_TRANSIENT_CODES = {
    "BadDigest",
    "ClientDisconnect",
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "NoSuchUpload",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "TooManyRequests",
    "XAmzContentSHA256Mismatch",
}
_REMEDIES = {
    "NoSuchBucket": "check R2_BUCKET_NAME and R2_ENDPOINT_URL",
    "RequestTimeTooSkewed": "set the clock of the machine right",
    "EntityTooLarge": "the file is larger than the bucket takes",
    "AuthorizationHeaderMalformed": "check R2_REGION",
    "301": "check R2_REGION and R2_ENDPOINT_URL",
    "401": "check R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY",
    "403": (
        "check R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY and that their token may read and write "
        "the objects of R2_BUCKET_NAME"
    ),
}


class Damaged(Exception):
    """What arrived is not what was sent."""


_NETWORK_ERRORS = ConnectionError | HTTPClientError | IncompleteReadError | ResponseParserError
FAILURES = (BotoCoreError, ClientError, Damaged, ResponseParserError)


@dataclass(frozen=True)
class Patience:
    """How long to keep at one transfer: until `attempts` or `seconds` are used up.

    `connect_seconds` and `read_seconds` bound each single wait for the network; `sleep` waits
    between attempts.
    """

    attempts: int = 5
    seconds: float = 90.0
    connect_seconds: float = 5.0
    read_seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep


PATIENT = Patience()
HURRIED = Patience(attempts=2, seconds=5.0, connect_seconds=3.0, read_seconds=10.0)


def persist(action: Callable[[], T], patience: Patience, *, failure: str) -> T:
    """Return what `action` returns, called again while what it raises may pass.

    Args:
        action: Sends or receives one whole thing; it opens its file anew each time.
        patience: When to give up.
        failure: The beginning of the message, such as "'a.png' could not be stored".

    Raises:
        StorageFailed: It failed for good, or too often.
    """
    retrying = Retrying(
        sleep=patience.sleep,
        stop=stop_after_attempt(patience.attempts) | stop_before_delay(patience.seconds),
        wait=_wait,
        retry=retry_if_exception(is_transient),
        before_sleep=lambda state: _warn(state, failure),
        reraise=True,
    )
    try:
        return retrying(action)
    except FAILURES as error:
        tried = retrying.statistics["attempt_number"]
        times = f" (tried {tried} times)" if tried > 1 else ""
        raise StorageFailed(f"{failure}: {explain(error)}{times}") from error
    except OSError as error:  # our own disk; those of botocore were caught above
        raise StorageFailed(f"{failure}: {error.strerror or 'the disk failed'}") from error


def code_of(error: ClientError) -> str:
    """Return the S3 error code of an answer, such as "NoSuchKey"; "404" if it has no body."""
    code = error.response.get("Error", {}).get("Code", "")
    return code if re.fullmatch("[A-Za-z0-9]{1,64}", code) else str(status_of(error))


def status_of(error: ClientError) -> int:
    """Return the HTTP status of an answer; 0 if it had none."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, ClientError):
        return status_of(error) in _TRANSIENT_STATUSES or code_of(error) in _TRANSIENT_CODES
    if isinstance(error, SSLError):
        return not _is_untrusted(error)
    return isinstance(error, Damaged | _NETWORK_ERRORS)


def explain(error: Exception) -> str:
    """Say what went wrong in words that hold no address, key or secret, and what to do."""
    if isinstance(error, ClientError):
        code, status = code_of(error), str(status_of(error))
        said = f"the bucket answered {status}" + ("" if code == status else f" {code}")
        remedy = _REMEDIES.get(code) or _REMEDIES.get(status)
        return f"{said}; {remedy}" if remedy else said
    if isinstance(error, Damaged):
        return "it was damaged on the way"
    if isinstance(error, SSLError) and _is_untrusted(error):
        return "the bucket's certificate is not trusted; check R2_ENDPOINT_URL"
    if is_transient(error):
        name = type(error).__name__
        return f"the bucket cannot be reached ({name}); check R2_ENDPOINT_URL and the network"
    return f"the request could not be made ({type(error).__name__}); check the R2_* settings"


def _is_untrusted(error: SSLError) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return max(_wait_of_our_own(state), min(_retry_after(error), LONGEST_WAIT_SECONDS))


def _retry_after(error: BaseException | None) -> float:
    """Return the seconds that a server asks for; it may give a date, which we do not read."""
    if not isinstance(error, ClientError):
        return 0.0
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    text = headers.get("retry-after", "")
    return float(text) if re.fullmatch("[0-9]{1,9}", text) else 0.0


def _warn(state: RetryCallState, failure: str) -> None:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Exception):
        waiting = f"trying again in {state.upcoming_sleep:.1f} s"
        _log.warning("%s yet: %s; %s", failure, explain(error), waiting)
