"""A file of settings, such as `.env`: lines of NAME=value."""

from __future__ import annotations

import re
from pathlib import Path

from settings.errors import SettingsError

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED = re.compile(r"""("[^"]*"|'[^']*')\s*(?:#.*)?""")


def read_env_file(path: Path) -> dict[str, str]:
    """Read lines of NAME=value, quoted or not; raise SettingsError naming every other line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: cannot be read as UTF-8 text ({error})"]) from error
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(map(str.strip, lines), start=1):
        match = _LINE.fullmatch(line)
        value = _unquoted(match[2]) if match else None
        if match and value is not None:
            found[match[1]] = value
        elif line and not line.startswith("#"):
            problems.append(f"{path}, line {number}: must read NAME=value, with quotes closed")
    if problems:
        raise SettingsError(problems)
    return found


def _unquoted(text: str) -> str | None:
    if text[:1] in {"'", '"'}:
        quoted = _QUOTED.fullmatch(text)
        return quoted[1][1:-1] if quoted else None
    return re.sub(r"(^|\s)#.*", "", text).strip()
