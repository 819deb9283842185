"""What the editor works into texts when it exports them: choices, dates, values of widgets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

Choose = Callable[[Sequence[str]], str]

NOTHING = object()
"""What a look-up returns when there is no such node or widget."""

_COMMENT_START = re.compile(r"/[*/]")
_LINE_END = re.compile(r"[\n\r\u2028\u2029]|$")
_ESCAPED = re.compile(r"\\([{}|])")
_REPLACED = re.compile(r"%([^%]+)%")
_DATE_PART = re.compile(r"dd?|MM?|hh?|mm?|ss?|yyy?y?")
_UNFIT_FOR_FILES = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')
_SIGN = re.compile(r"\\[\s\S]?|[{}|]")
_DEEPEST_CHOICE = 20
_LONGEST_CHOICE = 50_000


def one_of_each_choice(text: str, choose: Choose, *, depth: int = 0) -> str:
    r"""Return the text without comments, and with one option in place of every `{a|b}`.

    Options may hold choices in turn; `\{`, `\}` and `\|` stand for the signs themselves.

    Raises:
        ValueError: The braces are nested too deep, or the text is too long to look for them.
    """
    text = _without_comments(text)
    if "{" in text and len(text) > _LONGEST_CHOICE:
        raise ValueError(f"a text with choices in braces has more than {_LONGEST_CHOICE} signs")
    if depth > _DEEPEST_CHOICE:
        raise ValueError(f"choices in braces are nested more than {_DEEPEST_CHOICE} deep")
    done: list[str] = []
    start = 0
    while (brace := _next_brace(text, start)) is not None:
        options, end = _options(text, brace + 1)
        chosen = one_of_each_choice(choose(options), choose, depth=depth + 1)
        done += [text[start:brace], chosen]
        start = end
    return _ESCAPED.sub(r"\1", "".join([*done, text[start:]]))


def _without_comments(text: str) -> str:
    """Return the text without comments as C has them; one that never ends is none."""
    kept: list[str] = []
    start = look = 0
    last_end = text.rfind("*/")
    while (sign := _COMMENT_START.search(text, look)) is not None:
        look = sign.start() + 1
        if sign[0] == "/*" and last_end < sign.end():
            continue
        kept.append(text[start : sign.start()])
        line_end = _LINE_END.search(text, look) if sign[0] == "//" else None
        start = look = line_end.start() if line_end else text.index("*/", sign.end()) + 2
    return "".join([*kept, text[start:]])


def _next_brace(text: str, start: int) -> int | None:
    """Return where the next choice opens; a backslash takes the sign behind it with it."""
    signs = _SIGN.finditer(text, start)
    return next((sign.start() for sign in signs if sign[0] == "{"), None)


def _options(text: str, start: int) -> tuple[list[str], int]:
    """Return the options of the choice that opened before `start`, and where it ends."""
    options: list[str] = []
    depth, begin = 0, start
    for sign in _SIGN.finditer(text, start):
        if sign[0] == "}" and not depth:
            return [*options, text[begin : sign.start()]], sign.end()
        if sign[0] == "|" and not depth:
            options.append(text[begin : sign.start()])
            begin = sign.end()
        depth += {"{": 1, "}": -1}.get(sign[0], 0)
    return [*options, text[begin:]], len(text)


def with_replacements(text: str, look_up: Callable[[str, str], object], now: datetime) -> str:
    """Return the text with `%date:...%` and `%node.widget%` filled in.

    `look_up` takes the name of a node and of a widget, and returns `NOTHING` where there
    is none. Patterns that mean nothing here, such as `%width%`, stay.
    """

    def replace(match: re.Match[str]) -> str:
        node, *rest = match[1].split(".")
        if len(rest) != 1:
            return _date(node[5:], now) if node.startswith("date:") else match[0]
        value = look_up(node, rest[0])
        if value is NOTHING:
            return match[0]
        return _UNFIT_FOR_FILES.sub("_", as_the_browser_writes(value))

    return _REPLACED.sub(replace, text)


def as_the_browser_writes(value: object) -> str:
    """Return a value as JavaScript turns it into a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)


def _date(pattern: str, now: datetime) -> str:
    parts = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def replace(match: re.Match[str]) -> str:
        part = match[0]
        if part == "yy":
            return str(now.year)[2:]
        if part == "yyyy":
            return str(now.year)
        return str(parts[part[0]]).rjust(len(part), "0") if part[0] in parts else part

    return _DATE_PART.sub(replace, pattern)
