"""Strict JSON in: what one parser reads, every other reads the same."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from flask import Request

from web.errors import ProblemError

DEEPEST = 100
"""How deep arrays and objects may nest; Python's own parser gives up not far beyond."""

MOST_VALUES = 100_000
"""How many values the body may hold, in all arrays and objects together: each takes memory."""

LARGEST = 2**64
"""Whole numbers must be smaller: a seed of ComfyUI takes 64 bits, and no more."""

_STRINGS_AND_MARKS = re.compile(r'"(?:[^"\\]+|\\.)*+"?|[\[{]|[\]},]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read(request: Request) -> Any:
    """Return the JSON value in the body of `request`.

    Raises:
        ProblemError: 415 for another type, 400 for what is not JSON as RFC 8259 defines it or
            what parsers disagree on: NaN, keys given twice, numbers too large, lone surrogates;
            413 for more values than any job needs.
    """
    if not request.is_json:
        sent = request.mimetype or "something without a Content-Type"
        raise _unsupported(f"The body is {sent}; send JSON with Content-Type: application/json.")
    if (encoding := request.headers.get("Content-Encoding", "identity")) != "identity":
        raise _unsupported(f"The body is in Content-Encoding {encoding}; send it as it is.")
    return parse(request.get_data(cache=False))


def _unsupported(detail: str) -> ProblemError:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    return ProblemError(415, "unsupported_media_type", detail, headers=headers)


def parse(data: bytes) -> Any:
    """Return the value of the JSON text `data`; raise the ProblemError 400 that `read` does."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _refuse(f"byte {error.start} is not UTF-8", error)
    _check_size(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except json.JSONDecodeError as error:
        _refuse(f"line {error.lineno}, column {error.colno}: {error.msg}", error)
    except ValueError as error:
        _refuse(str(error), error)
    if _SURROGATE.search(text):
        _refuse_lone_surrogates(value)
    return value


def _refuse(reason: str, cause: Exception | None = None) -> NoReturn:
    raise ProblemError(400, "invalid_json", f"The body is not valid JSON: {reason}.") from cause


def _check_size(text: str) -> None:
    """Refuse, before anything is built of it, what nests too deep or holds too much."""
    depth, values = 0, 1
    for token in _STRINGS_AND_MARKS.finditer(text):
        first = token[0][0]
        depth += (first in "[{") - (first in "]}")
        values += first in "[{,"
        if depth > DEEPEST:
            _refuse(f"arrays and objects nest deeper than {DEEPEST} levels")
        if values > MOST_VALUES:
            detail = f"The body holds more than {MOST_VALUES} values; no job needs as many."
            raise ProblemError(413, "request_too_large", detail)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
    raise ValueError(f"the key {twice[:100]!r} occurs twice in one object")


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"the number {digits[:100]} is too large")
    return number


def _whole(digits: str) -> int:
    # so many digits that int() would balk are too many for 64 bits, too
    number = int(digits) if len(digits) <= 20 else LARGEST
    if not -(LARGEST // 2) <= number < LARGEST:
        raise ValueError(f"the number {digits[:100]} is too large, more than 64 bits")
    return number


def _refuse_lone_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        _refuse("a string holds half a surrogate pair, which is not a character", error)
