"""File names that are safe in every directory and with every program."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from comfy_runner.media.kinds import Kind

LONGEST_STEM_BYTES = 80

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)
"""Names that Windows keeps for itself, with any extension."""


def file_name(name: str, kind: Kind, taken: Collection[str]) -> str:
    """Return a file name after `name`: plain, with the extension of `kind`, not in `taken`.

    What is in `taken` counts without regard to case, as some file systems have it.
    """
    stem, extension = _split(name, kind)
    stem = _plain(stem) or "media"
    used = {each.casefold() for each in taken}
    number = 1
    candidate = f"{stem}{extension}"
    while candidate.casefold() in used:  # ends: `taken` is finite
        number += 1
        candidate = f"{stem}-{number}{extension}"
    return candidate


def _split(name: str, kind: Kind) -> tuple[str, str]:
    """Part the last component of a path; an extension of another kind is no extension."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    for extension in kind.extensions:
        if last.lower().endswith(extension):
            return last[: -len(extension)], extension
    stem, dot, suffix = last.rpartition(".")
    looks_like_one = dot and stem and suffix.isalnum() and len(suffix) <= 5
    return (stem if looks_like_one else last), kind.extensions[0]


def _plain(stem: str) -> str:
    """Keep letters and digits of any script, spaces, hyphens, underscores and inner dots."""
    kept = "".join(
        each if each.isalnum() or each in " -_." else "_"
        for each in unicodedata.normalize("NFKC", stem)
        if unicodedata.category(each)[0] != "C"
    )
    cut = kept.strip(" .").encode()[:LONGEST_STEM_BYTES].decode(errors="ignore").strip(" .")
    return f"_{cut}" if cut.partition(".")[0].strip().lower() in _DEVICES else cut
